#include "controller/directory/directory.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <set>

namespace penstock::directory {
namespace {

namespace fs = std::filesystem;

/// An editor writes in several steps; what is read is what stands when they are done.
constexpr std::chrono::milliseconds kSettle{50};
constexpr std::size_t kMaxFiles = 10'000;
constexpr int kMaxFolders = 8;  // levels
constexpr auto kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM |
                         IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

bool is_manifest(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

std::string stamp_of(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  return fmt::format("{}.{}.{}.{}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/// Manifest files by name, and the folders that hold them.
struct Listing {
  std::map<std::string, std::string> files;
  std::vector<std::string> folders;
  std::vector<Problem> problems;
};

void list(const fs::path& folder, const std::string& prefix, int level, Listing& out) {
  std::error_code code;
  fs::directory_iterator entries(folder, code);
  if (code) {
    out.problems.push_back({folder.string(), 0, code.message()});
    return;
  }
  out.folders.push_back(folder.string());
  for (const auto& entry : entries) {
    const auto name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    if (entry.is_directory(code)) {
      if (level < kMaxFolders) list(entry.path(), prefix + name + "/", level + 1, out);
    } else if (is_manifest(entry.path())) {
      if (out.files.size() >= kMaxFiles) {
        out.problems.push_back({folder.string(), 0, "holds too many files"});
        return;
      }
      out.files.emplace(prefix + name, entry.path().string());
    }
  }
}

}  // namespace

base::Result<std::unique_ptr<Directory>> Directory::open(asio::io_context& io, std::string path,
                                                         Events events,
                                                         std::chrono::seconds remembers) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    return base::fail(fmt::format("{}: expected a directory of manifests", path));
  }
  const int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) {
    return base::fail(fmt::format("{}: cannot be watched: {}", path, std::strerror(errno)));
  }
  return std::unique_ptr<Directory>(
      new Directory(io, std::move(path), inotify, std::move(events), remembers));
}

Directory::Directory(asio::io_context& io, std::string path, int inotify, Events events,
                     std::chrono::seconds remembers)
    : path_(std::move(path)),
      events_(std::move(events)),
      inotify_(io, inotify),
      settle_(io),
      remembers_(remembers) {}

Directory::~Directory() { *is_alive_ = false; }

void Directory::start() {
  scan();
  for (const auto& info : objects::kKinds) events_.source.on_synced(info.kind);
  wait();
}

void Directory::wait() {
  inotify_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this, alive = is_alive_](base::error_code code) {
                        if (!*alive || code) return;
                        drain_inotify();
                        scan_later();
                        wait();
                      });
}

void Directory::drain_inotify() {
  // What happened is of no interest, only that something did: a scan is cheap, and right also when
  // the kernel's queue has overflowed.
  std::array<char, 16384> buffer;
  while (read(inotify_.native_handle(), buffer.data(), buffer.size()) > 0) {
  }
}

void Directory::scan_later() {
  if (is_scan_due_) return;
  is_scan_due_ = true;
  settle_.expires_after(kSettle);
  settle_.async_wait([this, alive = is_alive_](base::error_code code) {
    if (!*alive || code) return;
    is_scan_due_ = false;
    scan();
  });
}

void Directory::watch_folder(const std::string& path) {
  inotify_add_watch(inotify_.native_handle(), path.c_str(), kEvents);
}

void Directory::scan() {
  Listing listing;
  // Watched before it is read: what changes in between is seen by the next scan.
  watch_folder(path_);
  list(path_, "", 0, listing);
  for (const auto& folder : listing.folders) watch_folder(folder);
  folder_problems_ = std::move(listing.problems);
  if (!folder_problems_.empty() && listing.files.empty()) {
    std::vector<Problem> problems = folder_problems_;
    report(std::move(problems));
    return;  // the folder itself is away: what it held is served on
  }
  read_changed(listing.files);
  deliver();
}

void Directory::read_changed(const std::map<std::string, std::string>& paths) {
  std::erase_if(files_, [&](const auto& each) { return !paths.contains(each.first); });
  for (const auto& [name, path] : paths) {
    auto stamp = stamp_of(path);
    auto& file = files_[name];
    if (!stamp.empty() && file.stamp == stamp) continue;
    file.stamp = std::move(stamp);
    auto content = read_manifests(path, name);
    file.problems = content.problems;
    file.is_broken = content.is_broken;
    if (!content.is_broken) file.content = std::move(content);
  }
}

void Directory::deliver() {
  std::map<objects::ObjectKey, std::shared_ptr<const Document>> now;
  auto problems = folder_problems_;
  for (const auto& [name, file] : files_) {
    problems.insert(problems.end(), file.problems.begin(), file.problems.end());
    for (const auto& document : file.content.documents) {
      const auto [place, is_first] = now.emplace(document->key, document);
      if (is_first) continue;
      problems.push_back(
          {document->file, document->line,
           fmt::format("{} is already defined at {}", objects::to_string(document->key),
                       place->second->where(""))});
    }
  }
  add_implied(now);
  note_ages(now);
  for (const auto& [key, document] : delivered_) {
    if (!now.contains(key)) events_.source.on_change({key, true, {}, {}});
  }
  for (const auto& [key, document] : now) {
    const auto before = delivered_.find(key);
    if (before != delivered_.end() && before->second->json == document->json) continue;
    events_.source.on_change(
        {key, false, document->json, document->where(""), ages_.at(key).first_seen});
  }
  delivered_ = std::move(now);
  report(std::move(problems));
}

/// Not where the Namespace may be what could not be read: it may have labels that permit less.
void Directory::add_implied(Documents& now) const {
  const bool has_gaps = std::ranges::any_of(files_, [](const auto& each) {
    const auto& file = each.second;
    return file.content.has_gaps || (file.is_broken && file.content.documents.empty());
  });
  std::set<std::string> names;
  for (const auto& [key, document] : now) {
    if (!key.name_space.empty()) names.insert(key.name_space);
  }
  for (const auto& name : names) {
    auto implied = implied_namespace(name);
    const auto before = delivered_.find(implied->key);
    if (has_gaps && before == delivered_.end()) continue;
    now.emplace(implied->key, has_gaps ? before->second : implied);
  }
}

/// Two readings are never of one age, however fast they follow.
void Directory::note_ages(const Documents& now) {
  const std::int64_t time = std::time(nullptr);
  for (auto& [key, age] : ages_) {
    if (now.contains(key)) {
      age.gone = 0;
    } else if (age.gone == 0) {
      age.gone = time;
    }
  }
  std::erase_if(ages_, [&](const auto& each) {
    return each.second.gone != 0 && time - each.second.gone >= remembers_.count();
  });
  const auto reading = std::max(time, last_reading_ + 1);
  for (const auto& [key, document] : now) {
    if (ages_.emplace(key, Age{reading}).second) last_reading_ = reading;
  }
}

void Directory::report(std::vector<Problem> problems) {
  if (problems == problems_) return;
  problems_ = std::move(problems);
  events_.on_problems(problems_);
}

std::string Directory::where(const objects::ObjectKey& key, std::string_view pointer) const {
  const auto found = delivered_.find(key);
  return found == delivered_.end() ? "" : found->second->where(pointer);
}

std::vector<Manifests> read_paths(const std::vector<std::string>& paths) {
  std::vector<Manifests> out;
  for (const auto& path : paths) {
    std::error_code code;
    if (path == "-") {
      out.push_back(parse_manifests("standard input", {std::istreambuf_iterator<char>(std::cin),
                                                       std::istreambuf_iterator<char>()}));
      continue;
    }
    if (!fs::is_directory(path, code)) {
      out.push_back(read_manifests(path, path));
      continue;
    }
    Listing listing;
    list(path, path.ends_with('/') ? path : path + "/", 0, listing);
    for (const auto& [name, file] : listing.files) out.push_back(read_manifests(file, name));
    if (listing.problems.empty()) continue;
    out.emplace_back().problems = std::move(listing.problems);
    out.back().is_broken = true;
  }
  return out;
}

}  // namespace penstock::directory
