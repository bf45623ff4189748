#pragma once
// Writes an IngressReport for each Ingress of ours, and an Event where one says something new,
// while this replica leads. An Ingress that ceases to be ours loses its report; one that is deleted
// takes it along (it owns it). Runs on the controller's thread.
//
// What stands is read first and watched: a leader that begins writes what differs and nothing else,
// and nothing before a proxy of ours serves. Where the IngressReport kind is not installed the log
// says so once in a while, and there are no Events either.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/kube/watch.h"
#include "controller/status/events.h"
#include "controller/status/ingress_report.h"
#include "controller/status/stream_writer.h"
#include "controller/translate/translator.h"
#include "controller/world/world.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"

namespace penstock::status {

class ReportWriter {
 public:
  struct Options {
    std::string watch_namespace;  // empty: all
    /// How long a report waits for what it tells of to be live everywhere.
    std::chrono::milliseconds longest_wait{2'000};
    /// How long another number of live proxies must stand before it is worth a write.
    std::chrono::milliseconds live_settles{10'000};
  };
  struct View {
    const world::World* world;
    const translate::Translator* translator;
    Live live;
  };

  ReportWriter(asio::io_context& io, kube::Client& client, Options options, kube::Random random,
               std::function<View()> view);

  void set_leading(bool is_leading);
  /// The translator has run: what it has looked at may say something else.
  void update();
  /// What proxies serve may have changed.
  void update_live();

 private:
  struct Known {
    bool stands = false;
    IngressReport report;       // that stands
    IngressReport form;         // what it is to say, but for what counts proxies and tells times
    std::uint64_t version = 0;  // the first that held this form
    base::SteadyTime changed_at;
    std::optional<base::SteadyTime> lives_differ_since;
  };

  struct Write {
    std::string uid;  // of the Ingress; empty: the report is to be deleted
    IngressReport report;
    bool is_news = false;  // of state or issues
  };

  void open_all(const View& view);
  void take_standing(const objects::Change& change);
  void look_at(base::SteadyTime when);
  void compare();
  /// When to look again; nothing where all is said.
  std::optional<base::SteadyTime> consider(const View& view, const std::string& path,
                                           base::SteadyTime now);
  std::optional<IngressReport> wanted_of(const View& view, const std::string& path);
  void let_go(const View& view, const std::string& path);
  void write_next();
  void write(const std::string& path, Write next);
  void take_written(const std::string& path, const Write& written, const kube::Response& response);
  void pause(const std::string& path, const kube::Response& response);

  asio::io_context& io_;
  kube::Client& client_;
  Options options_;
  kube::Random random_;
  EventWriter events_;
  std::function<View()> view_;
  std::unique_ptr<kube::Watcher> watcher_;
  bool is_leading_ = false;
  std::size_t proxies_ = 0;
  std::map<std::string, Known> known_;            // by path of the Ingress
  std::map<std::string, base::SteadyTime> open_;  // to be looked at, not before
  std::map<std::string, Write> due_;
  std::map<std::string, kube::Call> writing_;
  base::SteadyTime paused_until_;
  std::optional<base::SteadyTime> looks_at_;
  kube::OneTimer timer_;
};

}  // namespace penstock::status
