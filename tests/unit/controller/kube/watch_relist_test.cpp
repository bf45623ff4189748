// What makes a watcher list anew, and what it waits for before.
#include "tests/unit/controller/kube/watch_fixture.h"

namespace penstock::kube {
namespace {

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

}  // namespace
}  // namespace penstock::kube
