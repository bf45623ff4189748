#include <gtest/gtest.h>

#include <map>
#include <string>

#include "proxy/base/ip_net.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/retry.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::upstream {
namespace {

using namespace std::chrono_literals;

snapshot::Endpoints endpoints(std::vector<std::pair<int, std::uint32_t>> wanted) {
  snapshot::Endpoints out;
  for (const auto& [last, weight] : wanted) {
    out.endpoints.push_back({"10.0.0." + std::to_string(last), 80, weight});
  }
  return out;
}

snapshot::Upstream using_algorithm(snapshot::Algorithm algorithm) {
  snapshot::Upstream out;
  out.balancing.algorithm = algorithm;
  return out;
}

class UpstreamTest : public testing::Test {
 protected:
  std::string pick(const std::string& client = "1.2.3.4", std::vector<EndpointPtr> tried = {}) {
    const auto lease = state_.pick({*base::parse_address(client), now_}, tried);
    return lease ? lease->endpoint()->text : "none";
  }

  Random random_{1};
  UpstreamState state_{random_};
  base::SteadyTime now_ = base::SteadyTime() + 1000s;
};

TEST_F(UpstreamTest, RoundRobinKeepsExactWeights) {
  state_.reconcile(using_algorithm(snapshot::Algorithm::kRoundRobin),
                   endpoints({{1, 5}, {2, 1}, {3, 1}}));
  std::map<std::string, int> count;
  for (int i = 0; i < 70; ++i) ++count[pick()];
  EXPECT_EQ(count["10.0.0.1:80"], 50);
  EXPECT_EQ(count["10.0.0.2:80"], 10);
  EXPECT_EQ(count["10.0.0.3:80"], 10);
}

TEST_F(UpstreamTest, NoEndpointMeansNone) {
  state_.reconcile({}, {});
  EXPECT_EQ(pick(), "none");
}

TEST_F(UpstreamTest, EveryAlgorithmAvoidsTheTriedAndUsesThemWhenNothingIsLeft) {
  for (int a = 0; a <= static_cast<int>(snapshot::Algorithm::kEwma); ++a) {
    state_.reconcile(using_algorithm(static_cast<snapshot::Algorithm>(a)),
                     endpoints({{1, 1}, {2, 1}}));
    for (int i = 0; i < 20; ++i) {
      const auto first = state_.pick({*base::parse_address("1.2.3.4"), now_}, {});
      ASSERT_TRUE(first);
      EXPECT_NE(pick("1.2.3.4", {first->endpoint()}), first->endpoint()->text) << a;
    }
    state_.reconcile(using_algorithm(static_cast<snapshot::Algorithm>(a)), endpoints({{1, 1}}));
    const auto only = state_.pick({*base::parse_address("1.2.3.4"), now_}, {});
    EXPECT_EQ(pick("1.2.3.4", {only->endpoint()}), "10.0.0.1:80") << a;
  }
}

TEST_F(UpstreamTest, LeastConnectionsLooksAtWeight) {
  state_.reconcile(using_algorithm(snapshot::Algorithm::kLeastConnections),
                   endpoints({{1, 2}, {2, 1}}));
  std::vector<Lease> leases;
  std::map<std::string, int> count;
  for (int i = 0; i < 30; ++i) {
    auto lease = state_.pick({*base::parse_address("1.2.3.4"), now_}, {});
    ++count[lease->endpoint()->text];
    leases.push_back(std::move(*lease));
  }
  EXPECT_EQ(count["10.0.0.1:80"], 20);
}

TEST_F(UpstreamTest, SourceHashTakesTheNetworkOfAClient) {
  state_.reconcile(using_algorithm(snapshot::Algorithm::kSourceIpHash),
                   endpoints({{1, 1}, {2, 1}, {3, 1}, {4, 1}}));
  EXPECT_EQ(pick("9.8.7.1"), pick("9.8.7.200"));
}

TEST_F(UpstreamTest, AddingOneOfNMovesAboutOneNthOfTheKeys) {
  const auto client = [](int i) {
    return "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".7";
  };
  std::vector<std::pair<int, std::uint32_t>> ten;
  for (int i = 1; i <= 10; ++i) ten.push_back({i, 1});
  state_.reconcile(using_algorithm(snapshot::Algorithm::kHash), endpoints(ten));
  std::vector<std::string> before;
  for (int i = 0; i < 5000; ++i) before.push_back(pick(client(i)));
  ten.push_back({11, 1});
  state_.reconcile(using_algorithm(snapshot::Algorithm::kHash), endpoints(ten));
  int moved = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto now = pick(client(i));
    if (now == before[static_cast<std::size_t>(i)]) continue;
    ++moved;
    EXPECT_EQ(now, "10.0.0.11:80") << "a key only ever moves to the new endpoint";
  }
  EXPECT_NEAR(moved, 5000 / 11, 200);
}

TEST_F(UpstreamTest, EwmaPrefersTheFaster) {
  state_.reconcile(using_algorithm(snapshot::Algorithm::kEwma), endpoints({{1, 1}, {2, 1}}));
  for (int i = 0; i < 20; ++i) {
    auto lease = state_.pick({*base::parse_address("1.2.3.4"), now_}, {});
    const bool is_slow = lease->endpoint()->text == "10.0.0.1:80";
    state_.report_success(*lease->endpoint(), is_slow ? 2s : 1ms, now_);
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pick(), "10.0.0.2:80");
}

TEST_F(UpstreamTest, FailuresTakeAnEndpointOutForAWhile) {
  auto upstream = using_algorithm(snapshot::Algorithm::kRoundRobin);
  upstream.passive_health = {.max_fails = 2, .fail_timeout = base::Duration(10'000)};
  state_.reconcile(upstream, endpoints({{1, 1}, {2, 1}}));
  auto lease = state_.pick({*base::parse_address("1.2.3.4"), now_}, {});
  auto& failed = *lease->endpoint();
  state_.report_failure(failed, now_);
  EXPECT_TRUE(failed.is_up(now_));
  state_.report_failure(failed, now_);
  for (int i = 0; i < 6; ++i) EXPECT_NE(pick(), failed.text);
  now_ += 10s;
  std::map<std::string, int> count;
  for (int i = 0; i < 6; ++i) ++count[pick()];
  EXPECT_GT(count[failed.text], 0);
}

TEST_F(UpstreamTest, WhenAllAreDownTheyAreTriedAllTheSame) {
  auto upstream = using_algorithm(snapshot::Algorithm::kRoundRobin);
  upstream.passive_health = {.max_fails = 1, .fail_timeout = base::Duration(10'000)};
  state_.reconcile(upstream, endpoints({{1, 1}}));
  auto lease = state_.pick({*base::parse_address("1.2.3.4"), now_}, {});
  state_.report_failure(*lease->endpoint(), now_);
  EXPECT_EQ(pick(), "10.0.0.1:80");
}

TEST_F(UpstreamTest, ReconcileKeepsWhatStaysAndRetiresWhatGoes) {
  state_.reconcile({}, endpoints({{1, 1}, {2, 1}}));
  auto first = state_.pick({{}, now_}, {});
  auto second = state_.pick({{}, now_}, {first->endpoint()});
  state_.reconcile({}, endpoints({{std::stoi(first->endpoint()->text.substr(7)), 1}}));
  EXPECT_FALSE(first->endpoint()->is_retired);
  EXPECT_EQ(first->endpoint()->active, 1U);
  EXPECT_TRUE(second->endpoint()->is_retired);
}

struct FakeConnection final : IdleConnection {
  using IdleConnection::IdleConnection;
  bool quiet = true;
  int id = 0;
  bool is_quiet() override { return quiet; }
};

class PoolTest : public testing::Test {
 protected:
  void put(int id, std::uint64_t key = 0, std::uint32_t requests = 0) {
    auto connection = std::make_unique<FakeConnection>(now_);
    connection->id = id;
    connection->requests = requests;
    pool_.put(endpoint_, key, std::move(connection), now_);
  }
  int take(std::uint64_t key = 0) {
    const auto taken = pool_.take(*endpoint_, key, now_);
    return taken ? taken->id : 0;
  }

  base::SteadyTime now_ = base::SteadyTime() + 1000s;
  EndpointPtr endpoint_ = std::make_shared<Endpoint>();
  IdlePool<FakeConnection> pool_;
};

TEST_F(PoolTest, TakesTheOneUsedLastOfTheSameKey) {
  put(1);
  put(2, 7);
  put(3);
  EXPECT_EQ(take(), 3);
  EXPECT_EQ(take(), 1);
  EXPECT_EQ(take(), 0);
  EXPECT_EQ(take(7), 2);
}

TEST_F(PoolTest, TheOldestMakesRoom) {
  snapshot::UpstreamKeepalive settings;
  settings.connections = 2;
  pool_.configure(settings);
  for (int i = 1; i <= 3; ++i) put(i);
  EXPECT_EQ(pool_.size(), 2U);
  EXPECT_EQ(take(), 3);
  EXPECT_EQ(take(), 2);
  EXPECT_EQ(take(), 0);
}

TEST_F(PoolTest, RefusesTheWornOutAndTheRetired) {
  snapshot::UpstreamKeepalive settings;
  settings.requests = 10;
  pool_.configure(settings);
  put(1, 0, 10);
  EXPECT_EQ(take(), 0);
  put(2);
  endpoint_->is_retired = true;
  pool_.sweep(now_);
  EXPECT_EQ(pool_.size(), 0U);
  put(3);
  EXPECT_EQ(pool_.size(), 0U);
}

TEST_F(PoolTest, IdleAndTotalAgeAndDeadPeersEndAConnection) {
  put(1);
  now_ += 61s;
  EXPECT_EQ(take(), 0);
  auto dead = std::make_unique<FakeConnection>(now_);
  dead->quiet = false;
  pool_.put(endpoint_, 0, std::move(dead), now_);
  EXPECT_EQ(take(), 0);
  EXPECT_EQ(pool_.size(), 0U);
}

TEST(Retry, FollowsThePolicy) {
  snapshot::NextUpstream policy;
  Attempt attempt;
  EXPECT_TRUE(may_retry(policy, attempt));
  attempt.number = 3;
  EXPECT_FALSE(may_retry(policy, attempt)) << "three tries in total";
  attempt.number = 1;
  attempt.is_response_started = true;
  EXPECT_FALSE(may_retry(policy, attempt));
  attempt = {};
  attempt.can_replay = false;
  EXPECT_FALSE(may_retry(policy, attempt));
  attempt = {};
  attempt.outcome = Attempt::Outcome::kStatus;
  attempt.status = 502;
  EXPECT_FALSE(may_retry(policy, attempt));
  policy.on_status = {502, 503};
  EXPECT_TRUE(may_retry(policy, attempt));
  policy.timeout = base::Duration(1000);
  attempt.elapsed = base::Duration(1000);
  EXPECT_FALSE(may_retry(policy, attempt));
}

TEST(Retry, DoesNotSendAPostTwice) {
  snapshot::NextUpstream policy;
  Attempt attempt;
  attempt.is_idempotent = is_idempotent("POST");
  EXPECT_TRUE(may_retry(policy, attempt)) << "nothing was sent";
  attempt.is_request_sent = true;
  EXPECT_FALSE(may_retry(policy, attempt));
  policy.may_retry_non_idempotent = true;
  EXPECT_TRUE(may_retry(policy, attempt));
}

}  // namespace
}  // namespace penstock::upstream
