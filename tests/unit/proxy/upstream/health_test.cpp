// What checks, failures and time make of the choice among endpoints.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "proxy/base/ip_net.h"
#include "proxy/upstream/health_name.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::upstream {
namespace {

using namespace std::chrono_literals;

snapshot::Endpoints endpoints_of(int count) {
  snapshot::Endpoints out;
  for (int i = 1; i <= count; ++i) out.endpoints.push_back({"10.0.0." + std::to_string(i), 80, 1});
  return out;
}

class HealthTest : public testing::Test {
 protected:
  HealthTest() { upstream_.health_check.type = snapshot::ProbeType::kConnect; }

  void reconcile(int count) { state_.reconcile(upstream_, endpoints_of(count), &table_); }
  /// As the prober would: by the name of what it asks.
  std::shared_ptr<base::HealthCell> cell(int last) {
    const base::TcpEndpoint endpoint(base::parse_address("10.0.0." + std::to_string(last)).value(),
                                     80);
    return table_.of(health_name(endpoint, upstream_.health_check));
  }
  std::map<int, int> picks(int count) {
    std::map<int, int> out;
    for (int i = 0; i < count; ++i) {
      const auto lease = state_.pick({{}, now_}, {});
      ++out[lease->endpoint()->address.address().to_v4().to_bytes()[3]];
    }
    return out;
  }

  snapshot::Upstream upstream_;
  base::HealthTable table_;
  Random random_{1};
  UpstreamState state_{random_};
  base::SteadyTime now_ = base::SteadyTime() + 1000s;
};

TEST_F(HealthTest, OneThatFailsItsChecksIsNotChosen) {
  reconcile(3);
  EXPECT_EQ(picks(30).size(), 3U) << "not asked yet counts as up";
  cell(2)->set(base::Health::kDown);
  EXPECT_EQ(picks(30), (std::map<int, int>{{1, 15}, {3, 15}}));
  cell(2)->set(base::Health::kUp);
  EXPECT_EQ(picks(30).size(), 3U);
}

TEST_F(HealthTest, WhenAllFailAllAreTried) {
  reconcile(2);
  const auto one = cell(1);
  const auto two = cell(2);
  one->set(base::Health::kDown);
  two->set(base::Health::kDown);
  EXPECT_FALSE(state_.has_up(now_));
  EXPECT_EQ(picks(20).size(), 2U);
}

TEST_F(HealthTest, AnotherCheckIsAnotherQuestion) {
  reconcile(1);
  cell(1)->set(base::Health::kDown);
  EXPECT_FALSE(state_.has_up(now_));
  upstream_.health_check.port = 81;
  reconcile(1);
  EXPECT_TRUE(state_.has_up(now_));
  cell(1)->set(base::Health::kDown);
  EXPECT_FALSE(state_.has_up(now_));
  upstream_.health_check = {};
  reconcile(1);
  EXPECT_TRUE(state_.has_up(now_));
}

TEST_F(HealthTest, BelowTheThresholdAllAreUsed) {
  upstream_.balancing.panic_percent = 50;
  reconcile(4);
  std::vector<std::shared_ptr<base::HealthCell>> cells;
  for (int i = 1; i <= 4; ++i) cells.push_back(cell(i));
  cells[0]->set(base::Health::kDown);
  cells[1]->set(base::Health::kDown);
  EXPECT_EQ(picks(40).size(), 2U) << "a half is up: that is enough";
  cells[2]->set(base::Health::kDown);
  EXPECT_EQ(picks(40).size(), 4U);
}

TEST_F(HealthTest, ANewEndpointStartsSlowly) {
  upstream_.balancing.slow_start = base::Duration(100'000);
  reconcile(2);
  EXPECT_EQ(picks(20), (std::map<int, int>{{1, 10}, {2, 10}})) << "the first ones do not";
  reconcile(3);
  EXPECT_LE(picks(30)[3], 1);
  now_ += 50s;
  EXPECT_NEAR(picks(3000)[3], 500, 100) << "half of its share";
  now_ += 51s;
  EXPECT_NEAR(picks(3000)[3], 1000, 5);
}

TEST_F(HealthTest, OneThatPassesAgainStartsSlowly) {
  upstream_.balancing.slow_start = base::Duration(100'000);
  reconcile(2);
  const auto one = cell(1);
  one->set(base::Health::kDown);
  EXPECT_EQ(picks(20).size(), 1U);
  one->set(base::Health::kUp);
  EXPECT_LE(picks(30)[1], 1);
  now_ += 101s;
  EXPECT_NEAR(picks(1000)[1], 500, 5);
}

TEST_F(HealthTest, LinearRecoveryGivesTheShareBackBitByBit) {
  upstream_.passive_health = {1, base::Duration(10'000), true};
  reconcile(2);
  const auto lease = state_.pick({{}, now_}, {});
  const int failed = lease->endpoint()->address.address().to_v4().to_bytes()[3];
  state_.report_failure(*lease->endpoint(), now_);
  EXPECT_EQ(picks(20).count(failed), 0U);
  now_ += 10s;
  EXPECT_LE(picks(30)[failed], 1);
  now_ += 5s;
  EXPECT_NEAR(picks(2000)[failed], 500, 100);
  now_ += 6s;
  EXPECT_NEAR(picks(2000)[failed], 1000, 5);
}

TEST_F(HealthTest, SlowStartIsNotForAHash) {
  upstream_.balancing = {snapshot::Algorithm::kHash, 0, base::Duration(100'000), 0};
  reconcile(1);
  reconcile(2);
  std::map<int, int> count;
  for (int i = 0; i < 200; ++i) {
    const auto client = base::parse_address("192.0.2." + std::to_string(i)).value();
    ++count[state_.pick({client, now_}, {})->endpoint()->address.address().to_v4().to_bytes()[3]];
  }
  EXPECT_GT(count[2], 50);
}

}  // namespace
}  // namespace penstock::upstream
