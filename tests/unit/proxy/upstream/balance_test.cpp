// What must hold of each algorithm whatever the endpoints and weights are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "proxy/base/ip_net.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::upstream {
namespace {

using namespace std::chrono_literals;
using snapshot::Algorithm;

using Weights = std::vector<std::uint32_t>;

snapshot::Upstream balancing(Algorithm algorithm, std::uint32_t bounded_load_percent = 0) {
  snapshot::Upstream out;
  out.balancing = {algorithm, bounded_load_percent};
  return out;
}

snapshot::Endpoints weighted(const Weights& weights) {
  snapshot::Endpoints out;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    out.endpoints.push_back({"10.0.0." + std::to_string(i + 1), 80, weights[i]});
  }
  return out;
}

base::Address client(int i) {
  return base::parse_address("172." + std::to_string(16 + i / 62500) + "." +
                             std::to_string(i / 250 % 250) + "." + std::to_string(i % 250))
      .value();
}

/// One upstream with its picks.
class Balance {
 public:
  explicit Balance(unsigned seed = 1) : random_(seed) {}

  void set(Algorithm algorithm, const Weights& weights, std::uint32_t bounded_load_percent = 0) {
    state_.reconcile(balancing(algorithm, bounded_load_percent), weighted(weights));
  }
  Lease lease(PickInput input = {}) {
    input.now = now;
    auto lease = state_.pick(input, {});
    EXPECT_TRUE(lease);
    return std::move(*lease);
  }
  /// The endpoint's index.
  std::size_t pick(PickInput input = {}) { return index_of(lease(input)); }
  static std::size_t index_of(const Lease& lease) {
    return lease.endpoint()->address.address().to_v4().to_bytes()[3] - 1U;
  }
  UpstreamState& state() { return state_; }

  base::SteadyTime now = base::SteadyTime() + 1000s;

 private:
  Random random_;
  UpstreamState state_{random_};
};

std::uint64_t sum(const Weights& weights) {
  std::uint64_t out = 0;
  for (const auto each : weights) out += each;
  return out;
}

/// Several sets of up to twelve endpoints.
std::vector<Weights> many_weights(std::uint32_t heaviest) {
  std::mt19937 random(7);
  std::vector<Weights> out;
  for (int n = 0; n < 60; ++n) {
    Weights weights(1 + random() % 12);
    for (auto& each : weights) each = 1 + random() % heaviest;
    out.push_back(weights);
  }
  return out;
}

TEST(SmoothRoundRobin, IsExactOverEveryPeriod) {
  unsigned seed = 0;
  for (const auto& weights : many_weights(20)) {
    Balance balance(++seed);
    balance.set(Algorithm::kRoundRobin, weights);
    for (int period = 0; period < 3; ++period) {
      std::vector<std::uint32_t> count(weights.size());
      for (std::uint64_t i = 0; i < sum(weights); ++i) ++count[balance.pick()];
      EXPECT_EQ(count, weights);
    }
  }
}

TEST(SmoothRoundRobin, NeverRunsFarAheadOrBehind) {
  unsigned seed = 0;
  for (const auto& weights : many_weights(20)) {
    Balance balance(++seed);
    balance.set(Algorithm::kRoundRobin, weights);
    std::vector<double> count(weights.size());
    const auto total = static_cast<double>(sum(weights));
    for (std::uint64_t n = 1; n <= 2 * sum(weights); ++n) {
      ++count[balance.pick()];
      for (std::size_t i = 0; i < weights.size(); ++i) {
        ASSERT_LE(std::abs(count[i] - static_cast<double>(n) * weights[i] / total), 3.0);
      }
    }
  }
}

TEST(SmoothRoundRobin, DoesNotGiveTheHeaviestARun) {
  Balance balance;
  balance.set(Algorithm::kRoundRobin, {5, 1, 1});
  std::size_t run = 0;
  std::size_t longest = 0;
  for (int i = 0; i < 140; ++i)
    longest = std::max(longest, run = balance.pick() == 0 ? run + 1 : 0);
  EXPECT_LE(longest, 4U) << "two at the end of a period, two at the start of the next";
}

TEST(LeastConnections, KeepsTheLoadByWeight) {
  for (const auto& weights : many_weights(10)) {
    Balance balance;
    balance.set(Algorithm::kLeastConnections, weights);
    std::vector<Lease> held;
    std::vector<double> count(weights.size());
    const auto total = static_cast<double>(sum(weights));
    for (std::uint64_t n = 1; n <= 3 * sum(weights); ++n) {
      held.push_back(balance.lease());
      ++count[Balance::index_of(held.back())];
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const auto share = static_cast<double>(n) * weights[i] / total;
        ASSERT_LE(count[i], share + 1 + weights[i]) << n;
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_NEAR(count[i], 3.0 * weights[i], 1.0) << "of whole periods";
    }
  }
}

/// Nothing is held, so that all are equally free.
TEST(Weighted, AnIdleUpstreamIsUsedByWeight) {
  const Weights weights{1, 2, 5, 12};
  for (const auto algorithm : {Algorithm::kLeastConnections, Algorithm::kRandom}) {
    Balance balance;
    balance.set(algorithm, weights);
    std::vector<double> count(weights.size());
    for (int i = 0; i < 20'000; ++i) ++count[balance.pick()];
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_NEAR(count[i], 1000.0 * weights[i], 150 + 30.0 * weights[i]);
    }
  }
}

TEST(Weighted, RandomKeepsSharesWhenSomeAreDown) {
  Balance balance;
  auto upstream = balancing(Algorithm::kRandom);
  upstream.passive_health = {1, base::Duration(60'000)};
  balance.state().reconcile(upstream, weighted(Weights(20, 1)));
  std::vector<Lease> all;
  while (all.size() < 17) {
    auto lease = balance.lease();
    balance.state().report_failure(*lease.endpoint(), balance.now);
    all.push_back(std::move(lease));
  }
  std::map<std::size_t, int> count;
  for (int i = 0; i < 9'000; ++i) ++count[balance.pick()];
  ASSERT_EQ(count.size(), 3U);
  for (const auto& [index, picks] : count) EXPECT_NEAR(picks, 3000, 250) << index;
}

/// The fullest of n after n draws: about ln ln n with two choices, ln n / ln ln n with one.
TEST(RandomTwo, IsFarMoreEvenThanRandom) {
  const auto fullest = [](Algorithm algorithm) {
    Balance balance(3);
    balance.set(algorithm, Weights(200, 1));
    std::vector<Lease> held;
    std::vector<int> count(200);
    for (int i = 0; i < 4000; ++i) {
      held.push_back(balance.lease());
      ++count[Balance::index_of(held.back())];
    }
    return *std::ranges::max_element(count);
  };
  EXPECT_LE(fullest(Algorithm::kRandomTwo), 23) << "20 each";
  EXPECT_GE(fullest(Algorithm::kRandom), 28);
}

TEST(Ewma, PrefersTheFasterAndAsksTheSlowAgain) {
  Balance balance;
  balance.set(Algorithm::kEwma, {1, 1});
  const auto answer = [&](const Lease& lease, bool is_slow) {
    balance.state().report_success(*lease.endpoint(), is_slow ? 2s : 1ms, balance.now);
  };
  for (int i = 0; i < 20; ++i) {
    const auto lease = balance.lease();
    answer(lease, Balance::index_of(lease) == 0);
  }
  for (int i = 0; i < 10; ++i) {
    const auto lease = balance.lease();
    EXPECT_EQ(Balance::index_of(lease), 1U);
    answer(lease, false);
  }
  // The slow one has recovered: its old time fades, and it gets its part again.
  std::vector<int> count(2);
  for (int i = 0; i < 600; ++i) {
    balance.now += 1s;
    const auto lease = balance.lease();
    ++count[Balance::index_of(lease)];
    answer(lease, false);
  }
  EXPECT_GT(count[0], 200);
}

TEST(Ewma, ANewEndpointDoesNotGetAll) {
  Balance balance;
  balance.set(Algorithm::kEwma, {1, 1, 1});
  for (int i = 0; i < 30; ++i) {
    const auto lease = balance.lease();
    balance.state().report_success(*lease.endpoint(), 10ms, balance.now);
  }
  balance.set(Algorithm::kEwma, {1, 1, 1, 1});
  std::vector<Lease> held;
  std::vector<int> count(4);
  for (int i = 0; i < 80; ++i) {
    held.push_back(balance.lease());
    ++count[Balance::index_of(held.back())];
  }
  for (const auto each : count) EXPECT_NEAR(each, 20, 8);
}

constexpr int kKeys = 20'000;

std::vector<std::size_t> owners(Balance& balance) {
  std::vector<std::size_t> out;
  for (int i = 0; i < kKeys; ++i) out.push_back(balance.pick({client(i), {}}));
  return out;
}

TEST(Ketama, SharesFollowTheWeights) {
  for (const Weights& weights : {Weights(10, 1), Weights{1, 2, 5}, Weights{100, 300, 600}}) {
    Balance balance;
    balance.set(Algorithm::kHash, weights);
    std::vector<double> count(weights.size());
    for (const auto owner : owners(balance)) ++count[owner];
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto share =
          static_cast<double>(kKeys) * weights[i] / static_cast<double>(sum(weights));
      EXPECT_NEAR(count[i], share, 0.25 * share);
    }
  }
}

TEST(Ketama, OneOfNMovesItsOwnKeysOnly) {
  for (const std::size_t n : {2U, 5U, 20U, 100U}) {
    Balance balance;
    balance.set(Algorithm::kHash, Weights(n, 1));
    const auto before = owners(balance);
    balance.set(Algorithm::kHash, Weights(n + 1, 1));
    const auto after = owners(balance);
    int moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (before[i] == after[i]) continue;
      ++moved;
      ASSERT_EQ(after[i], n) << "to the new one";
    }
    const auto share = kKeys / static_cast<double>(n + 1);
    EXPECT_NEAR(moved, share, 0.3 * share) << n;
    balance.set(Algorithm::kHash, Weights(n, 1));
    EXPECT_EQ(owners(balance), before) << "and back";
  }
}

TEST(Ketama, OneThatIsDownMovesItsOwnKeysOnly) {
  Balance balance;
  auto upstream = balancing(Algorithm::kHash);
  upstream.passive_health = {1, base::Duration(60'000)};
  balance.state().reconcile(upstream, weighted(Weights(8, 1)));
  const auto before = owners(balance);
  const auto lease = balance.lease({client(0), {}});
  const auto down = Balance::index_of(lease);
  balance.state().report_failure(*lease.endpoint(), balance.now);
  const auto after = owners(balance);
  for (std::size_t i = 0; i < before.size(); ++i) {
    ASSERT_EQ(before[i] == down, before[i] != after[i]);
  }
}

TEST(Ketama, WorkersAgree) {
  Balance one(1);
  Balance other(99);
  one.set(Algorithm::kHash, Weights(7, 1));
  other.set(Algorithm::kHash, Weights(7, 1));
  EXPECT_EQ(owners(one), owners(other));
}

TEST(BoundedLoad, NoEndpointHasMoreThanItsBound) {
  constexpr std::uint32_t kPercent = 125;
  for (const auto& weights : many_weights(6)) {
    Balance balance;
    balance.set(Algorithm::kHash, weights, kPercent);
    std::vector<Lease> held;
    std::vector<double> count(weights.size());
    for (int n = 1; n <= 400; ++n) {
      // Half of them are one client.
      held.push_back(balance.lease({client(n % 2 == 0 ? 0 : n), {}}));
      ++count[Balance::index_of(held.back())];
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const auto share = n * static_cast<double>(weights[i]) / static_cast<double>(sum(weights));
        ASSERT_LE(count[i], std::ceil(share * kPercent / 100));
      }
    }
  }
}

TEST(BoundedLoad, AClientKeepsItsEndpointWhileThatHasRoom) {
  Balance bounded;
  Balance plain;
  bounded.set(Algorithm::kHash, Weights(5, 1), 125);
  plain.set(Algorithm::kHash, Weights(5, 1));
  EXPECT_EQ(owners(bounded), owners(plain)) << "nothing is held";
}

TEST(SourceIpHash, TakesTheNetworkOfIpv4AndAllOfIpv6) {
  Balance balance;
  balance.set(Algorithm::kSourceIpHash, Weights(16, 1));
  const auto pick = [&](const std::string& address) {
    return balance.pick({base::parse_address(address).value(), {}});
  };
  std::map<std::size_t, int> of_networks;
  std::map<std::size_t, int> of_one_v6_network;
  for (int net = 0; net < 100; ++net) {
    const auto prefix = "198.51." + std::to_string(net) + ".";
    ++of_networks[pick(prefix + "1")];
    for (const int host : {2, 77, 254})
      EXPECT_EQ(pick(prefix + std::to_string(host)), pick(prefix + "1"));
    EXPECT_EQ(pick("::ffff:" + prefix + "9"), pick(prefix + "1"));
    ++of_one_v6_network[pick("2001:db8::" + std::to_string(net))];
  }
  EXPECT_GE(of_networks.size(), 12U);
  EXPECT_GE(of_one_v6_network.size(), 12U);
}

TEST(Hash, APortMakesAnotherKey) {
  Balance balance;
  balance.set(Algorithm::kHash, Weights(16, 1));
  std::map<std::size_t, int> count;
  for (std::uint16_t port = 1024; port < 1224; ++port) {
    ++count[balance.pick({client(1), {}, source_key(client(1), port)})];
  }
  EXPECT_GE(count.size(), 14U);
}

}  // namespace
}  // namespace penstock::upstream
