// Endpoints that an operator has drained.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "proxy/base/ip_net.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::upstream {
namespace {

using Texts = std::set<std::string>;

class Drained : public testing::Test {
 protected:
  void reconcile(const std::vector<int>& last) {
    snapshot::Endpoints endpoints;
    for (const auto each : last) {
      endpoints.endpoints.push_back({"10.0.0." + std::to_string(each), 80, 1});
    }
    state_.reconcile(upstream_, endpoints);
  }
  /// Who takes what is new.
  Texts taking() {
    Texts out;
    for (int i = 0; i < 200; ++i) {
      // ip_hash takes the first three numbers.
      const auto client = base::parse_address("198." + std::to_string(i) + ".7.1");
      if (const auto lease = state_.pick({*client, now_}, {})) out.insert(lease->endpoint()->text);
    }
    return out;
  }

  Random random_{1};
  UpstreamState state_{random_};
  snapshot::Upstream upstream_;
  base::SteadyTime now_ = base::SteadyTime() + std::chrono::seconds(1000);
};

TEST_F(Drained, TakesNothingNewByAnyAlgorithmUntilItIsUndrained) {
  for (int a = 0; a <= static_cast<int>(snapshot::Algorithm::kRandom); ++a) {
    upstream_.balancing.algorithm = static_cast<snapshot::Algorithm>(a);
    reconcile({1, 2});
    state_.set_drained({"10.0.0.1:80"});
    EXPECT_EQ(taking(), Texts{"10.0.0.2:80"}) << a;
    EXPECT_EQ(state_.size(), 1U) << a;
    state_.set_drained({});
    EXPECT_EQ(taking(), (Texts{"10.0.0.1:80", "10.0.0.2:80"})) << a;
  }
}

TEST_F(Drained, IsFoundByItsAddressUntilItHasLeft) {
  reconcile({1, 2});
  state_.set_drained({"10.0.0.1:80"});
  const base::TcpEndpoint address(*base::parse_address("10.0.0.1"), 80);
  const auto found = state_.find(address);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->text, "10.0.0.1:80");
  EXPECT_EQ(state_.find({address.address(), 81}), nullptr);
  reconcile({2});
  EXPECT_EQ(state_.find(address), nullptr);
}

TEST_F(Drained, OutlivesAChangeOfTheEndpoints) {
  reconcile({1, 2});
  state_.set_drained({"10.0.0.1:80", "10.0.0.3:80"});
  reconcile({1, 2, 3, 4});
  EXPECT_EQ(taking(), (Texts{"10.0.0.2:80", "10.0.0.4:80"}));
  EXPECT_EQ(state_.endpoints().size(), 4U);
}

TEST_F(Drained, KeepsWhatRunsOnItAndIsNotRetired) {
  reconcile({1});
  const auto lease = state_.pick({*base::parse_address("192.0.2.1"), now_}, {});
  ASSERT_TRUE(lease);
  state_.set_drained({"10.0.0.1:80"});
  EXPECT_TRUE(state_.empty());
  EXPECT_EQ(taking(), Texts());
  EXPECT_EQ(lease->endpoint()->active, 1);
  EXPECT_FALSE(lease->endpoint()->is_retired);
  state_.set_drained({});
  EXPECT_EQ(state_.endpoints().front(), lease->endpoint());  // with all that is known of it
  state_.set_drained({"10.0.0.1:80"});
  reconcile({});
  EXPECT_TRUE(lease->endpoint()->is_retired);
}

}  // namespace
}  // namespace penstock::upstream
