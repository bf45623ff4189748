// What a watcher asks for and tells.
#include "tests/unit/controller/kube/watch_fixture.h"

namespace penstock::kube {
namespace {

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

TEST_F(Watch, AVersionThatIsNoLongerServedIsLeftForTheOther) {
  start(
      [this](const Seen& seen) {
        const bool is_old = seen.target.find("/v1beta1/") != std::string::npos;
        if (is_old == is_down_) return ScriptedServer::answer(404, "404 page not found");
        if (!is_watch(seen)) return ScriptedServer::answer(200, list(1, object("g", 1)));
        if (!is_old) return open_watch();
        is_down_ = true;
        return watch_of({}, true);
      },
      {Kind::kReferenceGrant, "", "", ""});
  ASSERT_TRUE(run_until(io_, [&] {
    return std::ranges::any_of(server_->seen(), [](const Seen& seen) {
      return seen.target.find("/v1/referencegrants?watch=1") != std::string::npos;
    });
  }));
  EXPECT_THAT(log_, ElementsAre("+g", "synced")) << "it has not changed";
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
