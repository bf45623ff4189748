#include "controller/kube/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_server.h"

namespace penstock::kube {
namespace {

using objects::Kind;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Reply = ScriptedServer::Reply;
using Seen = ScriptedServer::Seen;

std::string object(const std::string& name, int version) {
  return fmt::format(R"({{"metadata":{{"name":"{}","namespace":"n","resourceVersion":"{}"}}}})",
                     name, version);
}
std::string event(const std::string& type, const std::string& body) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, body);
}
std::string list(int version, const std::string& items, const std::string& next = "") {
  return fmt::format(R"({{"metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
                     version, next, items);
}
bool is_watch(const Seen& seen) { return seen.target.find("watch=1") != std::string::npos; }

/// A watch that stays open and says nothing.
Reply open_watch() { return {{ScriptedServer::stream_head()}, false}; }
Reply watch_of(const std::vector<std::string>& lines, bool cuts) {
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

TEST_F(Watch, ListsInPagesThenWatches) {
  start([](const Seen& seen) {
    if (is_watch(seen)) return watch_of({event("MODIFIED", object("a", 11))}, false);
    if (seen.target.find("continue=p%262") != std::string::npos) {
      return ScriptedServer::answer(200, list(10, object("b", 2)));
    }
    return ScriptedServer::answer(200, list(10, object("a", 1), "p&2"));
  });
  ASSERT_TRUE(until({"+a", "+b", "synced", "+a"}));
  EXPECT_EQ(last_.key, (objects::ObjectKey{Kind::kIngress, "n", "a"}));
  EXPECT_EQ(last_.json, object("a", 11));
  EXPECT_EQ(last_.origin, "");
  const auto& first = server_->seen().front();
  EXPECT_EQ(first.target, "/apis/networking.k8s.io/v1/ingresses?limit=500");
  EXPECT_THAT(first.head, HasSubstr("Authorization:Bearer the-token"));
  EXPECT_THAT(first.head, HasSubstr("User-Agent:penstock-controller/"));
  const auto& watch = server_->seen().back();
  EXPECT_THAT(watch.target, HasSubstr("resourceVersion=10"));
  EXPECT_THAT(watch.target, HasSubstr("allowWatchBookmarks=true"));
  EXPECT_THAT(watch.target, HasSubstr("timeoutSeconds=60"));
  EXPECT_TRUE(watcher_->is_synced());
  EXPECT_FALSE(watcher_->disconnected_since());
  EXPECT_TRUE(watcher_->counters().last_contact);
  EXPECT_EQ(watcher_->counters().objects, 2U);
}

TEST_F(Watch, OneObjectOfOneNamespace) {
  WatchTarget target{Kind::kConfigMap, "ops", "settings", "a!=b"};
  start(
      [](const Seen& seen) {
        return is_watch(seen) ? open_watch() : ScriptedServer::answer(200, list(1, ""));
      },
      target);
  ASSERT_TRUE(run_until(io_, [&] { return count(true) == 1; }));
  for (const auto& seen : server_->seen()) {
    EXPECT_THAT(seen.target, HasSubstr("/api/v1/namespaces/ops/configmaps?"));
    EXPECT_THAT(seen.target, HasSubstr("fieldSelector=a%21%3Db%2Cmetadata.name%3Dsettings"));
  }
}

TEST_F(Watch, ObjectsWithLabels) {
  WatchTarget target;
  target.field_selector = "a!=b";
  EXPECT_EQ(selector_query(target), "fieldSelector=a%21%3Db");
  target.label_selector = "app=p,tier=edge";
  EXPECT_EQ(selector_query(target), "fieldSelector=a%21%3Db&labelSelector=app%3Dp%2Ctier%3Dedge");
  target.field_selector.clear();
  EXPECT_EQ(selector_query(target), "labelSelector=app%3Dp%2Ctier%3Dedge");
}

TEST_F(Watch, EventsInSinglePiecesOfBytes) {
  start([](const Seen& seen) {
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, ""));
    const std::string lines = event("ADDED", object("a", 2)) + event("DELETED", object("a", 3)) +
                              event("ADDED", object("b", 4));
    Reply reply{{ScriptedServer::stream_head()}, false};
    for (const char c : lines) reply.pieces.push_back(ScriptedServer::chunk(std::string(1, c)));
    return reply;
  });
  ASSERT_TRUE(until({"synced", "+a", "-a", "+b"}));
  EXPECT_FALSE(last_.is_removed);
}

TEST_F(Watch, LargeEvent) {
  const std::string padding(3 << 20, 'x');
  start([&](const Seen& seen) {
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, ""));
    return watch_of({event("ADDED", R"({"metadata":{"name":"a","resourceVersion":"2"},"data":")" +
                                        padding + "\"}")},
                    false);
  });
  ASSERT_TRUE(until({"synced", "+a"}));
  EXPECT_GT(last_.json.size(), padding.size());
}

TEST_F(Watch, ResumesAfterACut) {
  int& watches = asked_;
  start([&](const Seen& seen) {
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(5, object("a", 1)));
    if (++watches == 1) {
      auto reply = watch_of({event("ADDED", object("b", 6)),
                             event("BOOKMARK", R"({"metadata":{"resourceVersion":"9"}})")},
                            true);
      reply.pieces.push_back("40\r\n{\"type\":\"ADD");  // dies within a chunk
      return reply;
    }
    return watch_of({event("ADDED", object("b", 6)), event("ADDED", object("c", 10))}, false);
  });
  ASSERT_TRUE(until({"+a", "synced", "+b", "+c"}));
  EXPECT_EQ(count(false), 1U);
  EXPECT_THAT(server_->seen().back().target, HasSubstr("resourceVersion=9"));
  EXPECT_EQ(watcher_->counters().restarts, 1U);
  EXPECT_EQ(watcher_->counters().relists, 0U);
}

TEST_F(Watch, ResumesAfterAnOrderlyEnd) {
  int& watches = asked_;
  start([&](const Seen& seen) {
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(5, ""));
    if (++watches > 2) return open_watch();
    auto reply =
        watch_of({event("ADDED", object("x" + std::to_string(watches), 5 + watches))}, false);
    reply.pieces.push_back(ScriptedServer::last_chunk());
    return reply;
  });
  ASSERT_TRUE(until({"synced", "+x1", "+x2"}));
  ASSERT_TRUE(run_until(io_, [&] { return count(true) == 3; }));
  EXPECT_EQ(watcher_->counters().failures, 0U);
  EXPECT_THAT(server_->seen().back().target, HasSubstr("resourceVersion=7"));
}

void expect_relist(const std::vector<std::string>& log) {
  // a vanished, b is unchanged, c changed, d is new; nothing is forgotten in between.
  EXPECT_THAT(log, ElementsAre("+a", "+b", "+c", "synced", "+c", "+d", "-a"));
}

TEST_F(Watch, GoneInTheStreamRelists) {
  int& lists = asked_;
  start([&](const Seen& seen) {
    if (is_watch(seen)) {
      if (lists > 1) return open_watch();
      return watch_of({event("ERROR", R"({"kind":"Status","code":410,"message":"too old"})")},
                      false);
    }
    if (++lists == 1) {
      return ScriptedServer::answer(
          200, list(5, object("a", 1) + ',' + object("b", 2) + ',' + object("c", 3)));
    }
    return ScriptedServer::answer(
        200, list(9, object("b", 2) + ',' + object("c", 7) + ',' + object("d", 8)));
  });
  ASSERT_TRUE(run_until(io_, [&] { return log_.size() >= 7; }));
  expect_relist(log_);
  EXPECT_EQ(watcher_->counters().relists, 1U);
  ASSERT_TRUE(run_until(io_, [&] { return count(true) == 2; }));
  EXPECT_THAT(server_->seen().back().target, HasSubstr("resourceVersion=9"));
}

TEST_F(Watch, GoneAsStatusRelists) {
  int& lists = asked_;
  start([&](const Seen& seen) {
    if (is_watch(seen)) return lists > 1 ? open_watch() : ScriptedServer::answer(410, "{}");
    if (++lists == 1) {
      return ScriptedServer::answer(
          200, list(5, object("a", 1) + ',' + object("b", 2) + ',' + object("c", 3)));
    }
    return ScriptedServer::answer(
        200, list(9, object("b", 2) + ',' + object("c", 7) + ',' + object("d", 8)));
  });
  ASSERT_TRUE(run_until(io_, [&] { return log_.size() >= 7; }));
  expect_relist(log_);
}

TEST_F(Watch, TheFirstRelistAfterGoneIsImmediateAndOthersBackOff) {
  timing_.shortest_watch = milliseconds(60'000);
  timing_.first_retry = timing_.longest_retry = milliseconds(400);
  auto& lists = times_;
  start([&](const Seen& seen) {
    if (is_watch(seen)) {
      return lists.size() > 2
                 ? open_watch()
                 : watch_of({event("ERROR", R"({"kind":"Status","code":410})")}, false);
    }
    lists.push_back(std::chrono::steady_clock::now());
    return ScriptedServer::answer(200, list(5, object("a", 1)));
  });
  ASSERT_TRUE(run_until(io_, [&] { return lists.size() == 3; }));
  EXPECT_LT(lists[1] - lists[0], milliseconds(150));
  EXPECT_GE(lists[2] - lists[1], milliseconds(200)) << "half of the step, without jitter";
  EXPECT_EQ(watcher_->counters().relists, 2U);
  EXPECT_EQ(watcher_->counters().failures, 1U);
}

TEST_F(Watch, AnEventMakesTheNextRelistImmediateAgain) {
  timing_.shortest_watch = milliseconds(60'000);
  timing_.first_retry = timing_.longest_retry = milliseconds(60'000);
  int& lists = asked_;
  start([&](const Seen& seen) {
    if (is_watch(seen)) {
      if (lists == 4) return open_watch();
      return watch_of({event("MODIFIED", object("a", 10 + lists)),
                       event("ERROR", R"({"kind":"Status","code":410})")},
                      false);
    }
    ++lists;
    return ScriptedServer::answer(200, list(lists, object("a", 20 + lists)));
  });
  ASSERT_TRUE(run_until(io_, [&] { return lists == 4; }));
  EXPECT_EQ(watcher_->counters().failures, 0U);
}

TEST_F(Watch, GoneWhileContinuingRestartsTheList) {
  int& pages = asked_;
  start([&](const Seen& seen) {
    if (is_watch(seen)) return open_watch();
    switch (++pages) {
      case 1:
        return ScriptedServer::answer(200, list(5, object("a", 1), "next"));
      case 2:
        return ScriptedServer::answer(410, R"({"code":410})");
      default:
        return ScriptedServer::answer(200, list(8, object("b", 2)));
    }
  });
  ASSERT_TRUE(until({"+a", "+b", "-a", "synced"}));
  EXPECT_THAT(server_->seen()[1].target, HasSubstr("continue=next"));
  EXPECT_THAT(server_->seen()[2].target, testing::Not(HasSubstr("continue")));
}

TEST_F(Watch, HonoursRetryAfter) {
  auto& times = times_;
  start([&](const Seen& seen) {
    if (is_watch(seen)) return open_watch();
    times.push_back(std::chrono::steady_clock::now());
    if (times.size() == 1) return ScriptedServer::answer(429, "slow down", "Retry-After: 1\r\n");
    return ScriptedServer::answer(200, list(1, object("a", 1)));
  });
  ASSERT_TRUE(until({"+a", "synced"}));
  ASSERT_EQ(times.size(), 2U);
  EXPECT_GE(times[1] - times[0], milliseconds(990));
  EXPECT_EQ(watcher_->counters().failures, 1U);
}

TEST_F(Watch, ServerFailuresRemoveNothing) {
  int& requests = asked_;
  start([&](const Seen& seen) -> Reply {
    switch (++requests) {
      case 1:
        return ScriptedServer::answer(500, "boom");
      case 2:
        return {{}, true};
      case 3:
        return {{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"meta"}, true};
      case 4:
        return ScriptedServer::answer(200, "<html>");
      case 5:
        return ScriptedServer::answer(200, list(3, object("a", 1)));
      case 6:
        return ScriptedServer::answer(503, "later");
      case 7:
        return {{}, true};
      case 8:
        return ScriptedServer::answer(403, R"({"message":"forbidden"})");
      case 9:
        return ScriptedServer::answer(403, R"({"message":"forbidden"})");
      default:
        return is_watch(seen) ? open_watch() : ScriptedServer::answer(200, list(4, object("a", 1)));
    }
  });
  ASSERT_TRUE(run_until(io_, [&] { return requests >= 11; }));
  EXPECT_THAT(log_, ElementsAre("+a", "synced"));
  // The library itself asks again where a kept connection is cut before the answer (2 and 7).
  EXPECT_EQ(watcher_->counters().failures, 6U);
}

TEST_F(Watch, TellsSinceWhenItIsDisconnected) {
  bool& is_down = is_down_;
  start([&](const Seen& seen) -> Reply {
    if (is_down) return ScriptedServer::answer(503, "");
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, ""));
    is_down = true;
    return watch_of({}, true);
  });
  EXPECT_TRUE(watcher_->disconnected_since());
  ASSERT_TRUE(run_until(io_, [&] { return watcher_->counters().failures >= 3; }));
  EXPECT_TRUE(watcher_->disconnected_since());
  is_down = false;
  ASSERT_TRUE(run_until(io_, [&] { return !watcher_->disconnected_since(); }));
}

TEST_F(Watch, AbsentKindIsEmptyAndTriedAgain) {
  int lists = 0;
  start(
      [&](const Seen& seen) {
        if (is_watch(seen)) return open_watch();
        if (++lists < 3) return ScriptedServer::answer(404, "404 page not found");
        return ScriptedServer::answer(200, list(1, object("t", 1)));
      },
      {Kind::kTcpService, "", "", ""});
  ASSERT_TRUE(until({"synced", "+t"}));
  EXPECT_EQ(lists, 3);
  EXPECT_EQ(watcher_->counters().failures, 0U);
}

TEST_F(Watch, KindThatIsTakenAwayLosesItsObjects) {
  bool is_present = true;
  start(
      [&](const Seen& seen) {
        if (!is_present) return ScriptedServer::answer(404, "404 page not found");
        if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, object("t", 1)));
        is_present = false;
        return watch_of({}, true);
      },
      {Kind::kTcpService, "", "", ""});
  ASSERT_TRUE(until({"+t", "synced", "-t"}));
}

TEST_F(Watch, MissingBuiltInKindIsAFailure) {
  start([](const Seen&) { return ScriptedServer::answer(404, "404 page not found"); });
  ASSERT_TRUE(run_until(io_, [&] { return watcher_->counters().failures >= 2; }));
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(Watch, TooLargePagesAreAskedForInParts) {
  timing_.max_page = 1000;
  start([](const Seen& seen) {
    if (is_watch(seen)) return open_watch();
    if (seen.target.find("limit=7&") == std::string::npos && !seen.target.ends_with("limit=7")) {
      return ScriptedServer::answer(200, list(1, "") + std::string(5000, ' '));
    }
    return ScriptedServer::answer(200, list(1, object("a", 1)));
  });
  ASSERT_TRUE(until({"+a", "synced"}));
}

TEST_F(Watch, NonsenseAndEndlessLinesRelist) {
  timing_.max_line = 1000;
  int& watches = asked_;
  start([&](const Seen& seen) {
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, object("a", 1)));
    switch (++watches) {
      case 1:
        return watch_of({"what?\n"}, false);
      case 2:
        return watch_of({std::string(2000, 'x')}, false);
      default:
        return open_watch();
    }
  });
  ASSERT_TRUE(run_until(io_, [&] { return watches == 3; }));
  EXPECT_THAT(log_, ElementsAre("+a", "synced"));
  EXPECT_EQ(watcher_->counters().relists, 2U);
}

TEST_F(Watch, WatchThatEndsAtOnceDoesNotSpin) {
  timing_.shortest_watch = milliseconds(5000);
  timing_.first_retry = timing_.longest_retry = milliseconds(200);
  start([](const Seen& seen) {
    if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, ""));
    Reply reply{{ScriptedServer::stream_head() + ScriptedServer::last_chunk()}, false};
    return reply;
  });
  run_until(io_, [] { return false; }, milliseconds(450));
  EXPECT_GE(count(true), 2U);
  EXPECT_LE(count(true), 5U);
}

TEST_F(Watch, StopWithinADelivery) {
  start([](const Seen& seen) {
    if (is_watch(seen)) return open_watch();
    return ScriptedServer::answer(200, list(1, object("a", 1) + ',' + object("b", 2)));
  });
  watcher_.reset();
  objects::SourceEvents events;
  events.on_change = [this](const objects::Change& change) {
    log_.push_back(change.key.name);
    watcher_->stop();
  };
  events.on_synced = [this](Kind) { log_.push_back("synced"); };
  watcher_ = std::make_unique<Watcher>(
      io_, *client_, WatchTarget(), std::move(events), [] { return 0.0; }, timing_);
  watcher_->start();
  ASSERT_TRUE(run_until(io_, [&] { return !log_.empty(); }));
  run_until(io_, [] { return false; }, milliseconds(100));
  EXPECT_THAT(log_, ElementsAre("a"));
}

}  // namespace
}  // namespace penstock::kube
