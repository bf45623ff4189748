#include "proxy/base/limit.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace penstock::base {
namespace {

Address address(std::uint32_t number) { return asio::ip::address_v4(number); }

TEST(SharedCount, HoldsOverThreads) {
  SharedCount count;
  std::atomic<int> entered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        if (count.try_enter(100)) ++entered;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(entered, 100);
  count.leave();
  EXPECT_TRUE(count.try_enter(100));
  EXPECT_FALSE(count.try_enter(100));
}

TEST(AddressCounts, BoundsEachAddressAndForgetsThoseThatLeft) {
  AddressCounts counts;
  EXPECT_TRUE(counts.try_enter(address(1), 2));
  EXPECT_TRUE(counts.try_enter(address(1), 2));
  EXPECT_FALSE(counts.try_enter(address(1), 2));
  EXPECT_TRUE(counts.try_enter(address(2), 2));
  EXPECT_FALSE(counts.try_enter(address(3), 0));
  EXPECT_EQ(counts.size(), 2U);
  counts.leave(address(1));
  counts.leave(address(1));
  counts.leave(address(2));
  EXPECT_EQ(counts.size(), 0U);
}

TEST(SharedRate, GivesASecondsWorthAtOnceAndThenTheRate) {
  SharedRate rate;
  const SteadyTime begin{std::chrono::seconds(1000)};
  int admitted = 0;
  for (int i = 0; i < 100; ++i) admitted += rate.admit(begin, 10) ? 1 : 0;
  EXPECT_EQ(admitted, 10);
  for (int ms = 1; ms <= 2000; ++ms) {
    admitted += rate.admit(begin + std::chrono::milliseconds(ms), 10) ? 1 : 0;
  }
  EXPECT_EQ(admitted, 30);
  EXPECT_FALSE(rate.admit(begin + std::chrono::hours(1), 0));
}

/// A flood of made-up addresses, each within the rate, does not stop one that is within it.
TEST(AddressRates, TellAddressesApart) {
  const auto rates = std::make_unique<AddressRates>();
  const SteadyTime begin{std::chrono::seconds(1000)};
  int refused = 0;
  for (std::uint32_t i = 0; i < 500; ++i) {
    for (int packet = 0; packet < 20; ++packet) {
      const bool is_admitted = rates->admit(address(i), begin, 10);
      if (packet < 10 && !is_admitted) ++refused;
      if (packet >= 10) {
        EXPECT_FALSE(is_admitted && packet >= 15) << i << " " << packet;
      }
    }
  }
  EXPECT_LE(refused, 5) << "four cells of an address are hardly ever all those of others";
}

TEST(LimitTable, KeepsTheLimitsOfANameWhileSomebodyHoldsThem) {
  LimitTable table;
  const auto first = table.of("udp/53");
  EXPECT_TRUE(first->sessions.try_enter(1));
  EXPECT_EQ(table.of("udp/53"), first);
  EXPECT_NE(table.of("udp/54"), first);
}

}  // namespace
}  // namespace penstock::base
