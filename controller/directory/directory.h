#pragma once
// A directory of manifests as a source of the same objects as the API: read as a whole, then
// followed by inotify. Files are *.yaml, *.yml and *.json in the directory and below; names that
// begin with a dot are not looked at, so that a mounted ConfigMap (whose files are links through
// "..data") works.
//
// A file that cannot be read keeps its last good content, with a problem that says file and line.
// Of one object in two files the first in the order of paths counts. An object whose metadata gives
// no age is as old as the reading that first found it, for as long as it is there and a minute
// more: what is added takes nothing from what is served. Runs on the controller's thread.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/directory/manifest_file.h"
#include "controller/objects/source.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::directory {

class Directory final : public objects::Source {
 public:
  struct Events {
    objects::SourceEvents source;
    /// Everything that is wrong now, whenever that has changed.
    std::function<void(const std::vector<Problem>&)> on_problems;
  };

  /// An editor, or a program that writes a file anew, may leave an object out for a moment.
  static constexpr std::chrono::seconds kRemembers{60};

  /// Fails where the directory cannot be read or watched. An object that goes and comes back within
  /// `remembers` is as old as it was.
  static base::Result<std::unique_ptr<Directory>> open(asio::io_context& io, std::string path,
                                                       Events events,
                                                       std::chrono::seconds remembers = kRemembers);
  ~Directory() override;

  void start() override;
  /// All Secrets are delivered, wanted or not: they are in files of the user's own.
  void change_wanted_secrets(const objects::WantedChange&) override {}
  bool has_settled() const override { return true; }
  std::string where(const objects::ObjectKey& key, std::string_view pointer) const override;
  std::vector<objects::WatchStatus> status() const override { return {}; }

 private:
  struct File {
    std::string stamp;  // what tells that a file has changed without reading it
    Manifests content;  // the last good one
    std::vector<Problem> problems;
    bool is_broken = false;
  };
  struct Age {
    std::int64_t first_seen = 0;  // seconds since 1970
    std::int64_t gone = 0;        // when it was missed; 0: it is there
  };
  using Documents = std::map<objects::ObjectKey, std::shared_ptr<const Document>>;

  Directory(asio::io_context& io, std::string path, int inotify, Events events,
            std::chrono::seconds remembers);
  void wait();
  void drain_inotify();
  void scan_later();
  void scan();
  void read_changed(const std::map<std::string, std::string>& paths);
  void watch_folder(const std::string& path);
  void deliver();
  void add_implied(Documents& now) const;
  void note_ages(const Documents& now);
  void report(std::vector<Problem> problems);

  std::string path_;
  Events events_;
  asio::posix::stream_descriptor inotify_;
  asio::steady_timer settle_;
  bool is_scan_due_ = false;
  std::map<std::string, File> files_;  // by name below the directory
  Documents delivered_;
  std::map<objects::ObjectKey, Age> ages_;
  std::chrono::seconds remembers_;
  std::int64_t last_reading_ = 0;  // the newest age
  std::vector<Problem> problems_;
  std::vector<Problem> folder_problems_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

/// Files, directories and "-", standard input, as one set of manifests, without following them: for
/// `penstock check`.
std::vector<Manifests> read_paths(const std::vector<std::string>& paths);

}  // namespace penstock::directory
