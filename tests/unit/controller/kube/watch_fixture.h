#pragma once
// A watcher and a server that answers as a test says.
#include "controller/kube/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_server.h"

namespace penstock::kube {

using objects::Kind;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Reply = ScriptedServer::Reply;
using Seen = ScriptedServer::Seen;

inline std::string object(const std::string& name, int version) {
  return fmt::format(R"({{"metadata":{{"name":"{}","namespace":"n","resourceVersion":"{}"}}}})",
                     name, version);
}
inline std::string event(const std::string& type, const std::string& body) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, body);
}
inline std::string list(int version, const std::string& items, const std::string& next = "") {
  return fmt::format(R"({{"metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
                     version, next, items);
}
inline bool is_watch(const Seen& seen) { return seen.target.find("watch=1") != std::string::npos; }

/// A watch that stays open and says nothing.
inline Reply open_watch() { return {{ScriptedServer::stream_head()}, false}; }
inline Reply watch_of(const std::vector<std::string>& lines, bool cuts) {
  Reply reply{{ScriptedServer::stream_head()}, cuts};
  for (const auto& line : lines) reply.pieces.push_back(ScriptedServer::chunk(line));
  return reply;
}

class Watch : public testing::Test {
 protected:
  void start(ScriptedServer::Handler handler, WatchTarget target = {}) {
    server_ = std::make_unique<ScriptedServer>(io_, std::move(handler));
    ClusterAccess access;
    access.server = server_->url();
    access.token = "the-token";
    client_ = std::make_unique<Client>(io_, access);
    objects::SourceEvents events;
    events.on_change = [this](objects::Change change) {
      log_.push_back((change.is_removed ? "-" : "+") + change.key.name);
      last_ = std::move(change);
    };
    events.on_synced = [this](Kind) { log_.push_back("synced"); };
    watcher_ = std::make_unique<Watcher>(
        io_, *client_, std::move(target), std::move(events), [] { return 0.0; }, timing_);
    watcher_->start();
  }
  void TearDown() override {
    watcher_.reset();
    client_.reset();
    io_.restart();
    io_.poll();
  }
  bool until(const std::vector<std::string>& log) {
    const bool is_done = run_until(io_, [&] { return log_.size() >= log.size(); });
    EXPECT_THAT(log_, testing::ElementsAreArray(log));
    return is_done;
  }
  std::size_t count(bool watches) const {
    return std::count_if(server_->seen().begin(), server_->seen().end(),
                         [&](const Seen& seen) { return is_watch(seen) == watches; });
  }

  static WatchTiming quick() {
    WatchTiming timing;
    timing.first_retry = milliseconds(20);
    timing.longest_retry = milliseconds(50);
    timing.absent_kind_retry = milliseconds(60);
    timing.shortest_watch = milliseconds(0);
    return timing;
  }

  asio::io_context io_;
  // For what a server counts: it answers until it is destroyed, after the body of the test.
  int asked_ = 0;
  bool is_down_ = false;
  std::vector<base::SteadyTime> times_;
  WatchTiming timing_ = quick();
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Watcher> watcher_;
  std::vector<std::string> log_;
  objects::Change last_;
};

}  // namespace penstock::kube
