#include "controller/kube/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_server.h"

namespace penstock::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using Reply = ScriptedServer::Reply;
using Seen = ScriptedServer::Seen;

LeaseRecord held_by(const std::string& holder, const std::string& renewed = "t1") {
  return {holder, 30, "t0", renewed, 4, R"({"name":"l","resourceVersion":"1"})"};
}

class View : public testing::Test {
 protected:
  LeaseOptions options_{"ns", "l", "me", milliseconds(30'000)};
  LeaseView view_{options_};
  base::SteadyTime now_{std::chrono::hours(9)};
};

TEST_F(View, WaitsForTheWholeDurationWithoutAChange) {
  EXPECT_TRUE(view_.may_write(now_));
  view_.observe(held_by("you"), now_);
  EXPECT_FALSE(view_.may_write(now_ + milliseconds(29'999)));
  view_.observe(held_by("you"), now_ + seconds(20));
  EXPECT_TRUE(view_.may_write(now_ + seconds(30)));
  view_.observe(held_by("you", "t2"), now_ + seconds(25));
  EXPECT_FALSE(view_.may_write(now_ + seconds(54)));
  EXPECT_TRUE(view_.may_write(now_ + seconds(55)));
}

TEST_F(View, ALongerLeaseOfTheHolderCounts) {
  auto record = held_by("you");
  record.duration_seconds = 60;
  view_.observe(record, now_);
  EXPECT_FALSE(view_.may_write(now_ + seconds(59)));
  EXPECT_TRUE(view_.may_write(now_ + seconds(60)));
}

TEST_F(View, OneThatWasDeletedIsItsHoldersUntilItsTimeIsOver) {
  view_.observe(held_by("you"), now_);
  view_.observe_absence();
  EXPECT_FALSE(view_.may_write(now_ + seconds(29)));
  EXPECT_TRUE(view_.may_write(now_ + seconds(30)));
  view_.observe(held_by("", "t2"), now_ + seconds(1));
  view_.observe_absence();
  EXPECT_TRUE(view_.may_write(now_ + seconds(1))) << "nobody held it";
}

TEST_F(View, WhatIsMadeAnewHasNoVersion) {
  const base::WallTime wall{seconds(1)};
  view_.observe(held_by("me"), now_);
  view_.observe_absence();
  EXPECT_TRUE(view_.may_write(now_));
  const auto anew = view_.claim(wall);
  EXPECT_EQ(anew.metadata_json, R"({"name":"l","namespace":"ns"})");
  EXPECT_EQ(anew.acquire_time, "1970-01-01T00:00:01.000000Z");
  EXPECT_EQ(anew.transitions, 0);
  EXPECT_EQ(view_.release(wall).metadata_json, anew.metadata_json);
}

TEST_F(View, TakingOverCountsATransitionAndRenewingDoesNot) {
  const base::WallTime wall{seconds(1)};
  view_.observe(held_by("you"), now_);
  const auto taken = view_.claim(wall);
  EXPECT_EQ(taken.holder, "me");
  EXPECT_EQ(taken.transitions, 5);
  EXPECT_EQ(taken.acquire_time, "1970-01-01T00:00:01.000000Z");
  view_.observe(taken, now_);
  const auto renewed = view_.claim(wall + std::chrono::microseconds(5));
  EXPECT_EQ(renewed.transitions, 5);
  EXPECT_EQ(renewed.acquire_time, taken.acquire_time);
  EXPECT_EQ(renewed.renew_time, "1970-01-01T00:00:01.000005Z");
  const auto free = view_.release(wall);
  EXPECT_EQ(free.holder, "");
  EXPECT_EQ(free.duration_seconds, 1);
  EXPECT_EQ(free.transitions, 5);
}

TEST(Lease, TextRoundTripKeepsMetadata) {
  LeaseRecord record = held_by("a\"b");
  record.metadata_json = R"({"name":"l","labels":{"x":"y"},"resourceVersion":"7"})";
  std::string text = encode_lease(record);
  const auto back = parse_lease(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, record);
}

TEST(Lease, NullsAndNonsense) {
  std::string nulls =
      R"({"metadata":{"name":"l"},"spec":{"holderIdentity":null,"leaseTransitions":null,"renewTime":null}})";
  const auto record = parse_lease(nulls);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->holder, "");
  for (const char* bad : {"", "{}", "[]", R"({"metadata":{},"spec":[]})"}) {
    std::string text = bad;
    EXPECT_FALSE(parse_lease(text)) << bad;
  }
}

/// A server with one lease that checks resource versions as the API does.
class LeaseServer {
 public:
  Reply handle(const Seen& seen) {
    if (is_down) return {{}, true};
    if (seen.method == "POST") {
      if (exists) return ScriptedServer::answer(409, "{}");
      const bool has_version = seen.body.find("resourceVersion") != std::string::npos;
      return has_version ? ScriptedServer::answer(500, "{}") : store(seen, 201);
    }
    if (!exists) return ScriptedServer::answer(404, "{}");
    if (seen.method == "GET") return ScriptedServer::answer(200, text());
    const auto expected = fmt::format("\"resourceVersion\":\"{}\"", version);
    if (seen.body.find(expected) == std::string::npos) return ScriptedServer::answer(409, "{}");
    return store(seen, 200);
  }
  Reply store(const Seen& seen, int status) {
    std::string body = seen.body;
    record = parse_lease(body).value();
    exists = true;
    ++version;
    return ScriptedServer::answer(status, text());
  }
  std::string text() {
    auto shown = record;
    shown.metadata_json = fmt::format(R"({{"name":"l","resourceVersion":"{}"}})", version);
    return encode_lease(shown);
  }
  bool exists = false;
  bool is_down = false;
  int version = 0;
  LeaseRecord record;
};

class Election : public testing::Test {
 protected:
  Election() {
    ClusterAccess access;
    access.server = server_.url();
    client_ = std::make_unique<Client>(io_, access);
  }
  ~Election() override {
    elections_.clear();
    client_.reset();
  }
  LeaderElection& join(const std::string& identity) {
    LeaseOptions options{"ns", "l", identity, milliseconds(1000)};
    LeaderElection::Events events;
    events.on_started_leading = [this, identity] { log_.push_back("+" + identity); };
    events.on_stopped_leading = [this, identity] { log_.push_back("-" + identity); };
    elections_.push_back(std::make_unique<LeaderElection>(io_, *client_, options, std::move(events),
                                                          [] { return 0.0; }));
    elections_.back()->start();
    return *elections_.back();
  }
  bool until(std::size_t count) {
    return run_until(io_, [&] { return log_.size() >= count; });
  }

  asio::io_context io_;
  LeaseServer lease_;
  ScriptedServer server_{io_, [this](const Seen& seen) { return lease_.handle(seen); }};
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<LeaderElection>> elections_;
  std::vector<std::string> log_;
};

TEST_F(Election, FirstLeadsAndHandsOverWhenItStops) {
  auto& a = join("a");
  ASSERT_TRUE(until(1));
  EXPECT_TRUE(a.is_leading());
  EXPECT_THAT(server_.seen()[0].target,
              testing::Eq("/apis/coordination.k8s.io/v1/namespaces/ns/leases/l"));
  auto& b = join("b");
  // Long enough that b would take over an unrenewed lease.
  run_until(io_, [] { return false; }, milliseconds(1500));
  EXPECT_THAT(log_, testing::ElementsAre("+a"));
  EXPECT_FALSE(b.is_leading());
  EXPECT_EQ(b.holder(), "a");
  bool is_released = false;
  a.stop([&] {
    is_released = true;
    EXPECT_EQ(lease_.record.holder, "");
  });
  ASSERT_TRUE(run_until(io_, [&] { return is_released && log_.size() >= 3; }));
  EXPECT_THAT(log_, testing::ElementsAre("+a", "-a", "+b"));
  EXPECT_EQ(lease_.record.transitions, 1 + 0);
}

TEST_F(Election, StopsLeadingWhenItCannotRenewAndComesBack) {
  auto& a = join("a");
  ASSERT_TRUE(until(1));
  lease_.is_down = true;
  const auto down = std::chrono::steady_clock::now();
  ASSERT_TRUE(until(2));
  const auto took = std::chrono::steady_clock::now() - down;
  EXPECT_LT(took, milliseconds(1000));  // before anyone could take over
  EXPECT_EQ(log_.back(), "-a");
  EXPECT_FALSE(a.is_leading());
  lease_.is_down = false;
  ASSERT_TRUE(until(3));
  EXPECT_EQ(log_.back(), "+a");
}

TEST_F(Election, StopsWhenAnotherTookIt) {
  join("a");
  ASSERT_TRUE(until(1));
  lease_.record.holder = "thief";
  ++lease_.version;
  ASSERT_TRUE(until(2));
  EXPECT_EQ(log_.back(), "-a");
  EXPECT_EQ(lease_.record.holder, "thief");
}

TEST_F(Election, ALeaseThatIsDeletedUnderItsHolderIsMadeAnewByItAlone) {
  auto& a = join("a");
  ASSERT_TRUE(until(1));
  auto& b = join("b");
  ASSERT_TRUE(run_until(io_, [&] { return b.holder() == "a"; }));
  lease_.exists = false;
  ASSERT_TRUE(run_until(io_, [&] { return lease_.exists; }));
  EXPECT_EQ(lease_.record.holder, "a");
  EXPECT_TRUE(a.is_leading());
  EXPECT_THAT(log_, testing::ElementsAre("+a"));
}

/// As `penstock retire` holds it, and as it goes with its owner.
TEST_F(Election, WhoHasSeenALongHoldDoesNotLeadWhenTheLeaseIsDeleted) {
  join("a");
  ASSERT_TRUE(until(1));
  lease_.record.holder = "retired";
  lease_.record.duration_seconds = 600;
  ++lease_.version;
  ASSERT_TRUE(until(2));
  EXPECT_EQ(log_.back(), "-a");
  lease_.exists = false;
  run_until(io_, [&] { return lease_.exists; }, milliseconds(1500));
  EXPECT_FALSE(lease_.exists);
  EXPECT_EQ(log_.size(), 2U);
}

TEST_F(Election, StopWithoutLeadingTouchesNothing) {
  lease_.exists = true;
  lease_.record = held_by("you");
  auto& a = join("a");
  ASSERT_TRUE(run_until(io_, [&] { return a.holder() == "you"; }));
  bool is_done = false;
  a.stop([&] { is_done = true; });
  EXPECT_TRUE(is_done);
  EXPECT_EQ(lease_.record.holder, "you");
  EXPECT_EQ(lease_.version, 0);
}

}  // namespace
}  // namespace penstock::kube
