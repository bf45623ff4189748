#include "proxy/base/connection_ids.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace penstock::base {
namespace {

constexpr SteadyTime kLongAgo{};
constexpr SteadyTime kNow{std::chrono::hours(1)};

TcpEndpoint endpoint(std::uint16_t port) { return {asio::ip::address_v4(0x0a000001), port}; }
ConnectionId id(std::string_view text) { return *ConnectionId::of(text); }
/// The port of whom it is; 0 where it is not known. Holds nothing.
int owner(ConnectionIds& ids, std::string_view text, SteadyTime forget_before = kLongAgo) {
  const auto known = ids.hold(text, forget_before);
  if (known) ids.release(known->id, kNow);
  return known ? known->endpoint.port() : 0;
}

TEST(ConnectionId, HasFromOneToTwentyBytes) {
  EXPECT_FALSE(ConnectionId::of(""));
  EXPECT_FALSE(ConnectionId::of(std::string(21, 'x')));
  const std::string longest(20, 'x');
  EXPECT_EQ(id(longest).bytes(), longest);
  EXPECT_NE(id("a"), id(std::string("a\0", 2)));
}

TEST(ConnectionIds, BelongToTheFirstEndpointThatHasThem) {
  ConnectionIds ids;
  EXPECT_TRUE(ids.learn(id("one"), endpoint(1), 10, kLongAgo));
  EXPECT_FALSE(ids.learn(id("one"), endpoint(2), 10, kLongAgo)) << "nobody takes it away";
  EXPECT_TRUE(ids.learn(id("one"), endpoint(1), 10, kLongAgo));
  EXPECT_EQ(owner(ids, "one"), 1);
  EXPECT_EQ(owner(ids, "on"), 0);
  EXPECT_EQ(owner(ids, "ones"), 0);
  EXPECT_EQ(ids.size(), 1U);
}

TEST(ConnectionIds, AreFoundWhereTheirLengthIsNotTold) {
  ConnectionIds ids;
  ASSERT_TRUE(ids.learn(id("1234"), endpoint(4), 10, kLongAgo));
  ASSERT_TRUE(ids.learn(id("12345678"), endpoint(8), 10, kLongAgo));
  const auto found = [&](std::string_view bytes) {
    const auto known = ids.hold_prefix(bytes, kLongAgo);
    return known ? known->endpoint.port() : 0;
  };
  EXPECT_EQ(found("12345678 and more than any id has"), 8) << "the longest";
  EXPECT_EQ(found("12345679 and more than any id has"), 4);
  EXPECT_EQ(found("1235"), 0);
  EXPECT_EQ(found("123"), 0);
  EXPECT_EQ(found(""), 0);
}

TEST(ConnectionIds, AgeOnceNobodyHoldsThem) {
  ConnectionIds ids;
  const auto later = kNow + std::chrono::seconds(1);
  ASSERT_TRUE(ids.learn(id("held"), endpoint(1), 10, kLongAgo));
  ASSERT_TRUE(ids.learn(id("twice"), endpoint(1), 10, kLongAgo));
  ASSERT_TRUE(ids.hold("twice", kLongAgo));
  ASSERT_TRUE(ids.learn(id("old"), endpoint(1), 10, kLongAgo));
  ids.release(id("twice"), kNow);
  ids.release(id("old"), kNow);
  EXPECT_EQ(owner(ids, "old", kNow), 1) << "not yet";
  EXPECT_EQ(owner(ids, "old", later), 0);
  EXPECT_EQ(owner(ids, "twice", later), 1) << "another session has it";
  EXPECT_EQ(owner(ids, "held", later), 1);
  EXPECT_EQ(ids.size(), 2U);
}

TEST(ConnectionIds, AreBoundedAndTheOldestMakesRoom) {
  ConnectionIds ids;
  for (const auto* text : {"a", "b", "c"}) {
    EXPECT_TRUE(ids.learn(id(text), endpoint(1), 3, kLongAgo));
  }
  EXPECT_FALSE(ids.learn(id("d"), endpoint(1), 3, kLongAgo)) << "each is held";
  ids.release(id("b"), kNow);
  ids.release(id("a"), kNow);
  EXPECT_EQ(owner(ids, "b"), 1) << "seen again, so now the younger one";
  EXPECT_TRUE(ids.learn(id("d"), endpoint(1), 3, kLongAgo));
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(owner(ids, "a"), 0);
  EXPECT_EQ(owner(ids, "b"), 1);
}

TEST(ConnectionIds, AreForgottenWhereNobodyElseHoldsThem) {
  ConnectionIds ids;
  ASSERT_TRUE(ids.learn(id("a"), endpoint(1), 3, kLongAgo));
  ASSERT_TRUE(ids.hold("a", kLongAgo));
  ids.forget(id("a"));
  EXPECT_EQ(ids.size(), 1U);
  ids.forget(id("a"));
  EXPECT_EQ(ids.size(), 0U);
  EXPECT_FALSE(ids.hold_prefix("a", kLongAgo)) << "nor is its length";
}

TEST(ConnectionIds, AreSharedByThreads) {
  ConnectionIds ids;
  constexpr std::size_t kMost = 50;
  std::vector<std::thread> threads;
  for (std::uint16_t number = 1; number <= 4; ++number) {
    threads.emplace_back([&ids, number] {
      for (int i = 0; i < 5000; ++i) {
        const auto mine = id(std::to_string(i % 40) + "-" + std::to_string(number));
        if (!ids.learn(mine, endpoint(number), kMost, kLongAgo)) continue;
        const auto known = ids.hold_prefix(mine.bytes(), kLongAgo);
        EXPECT_TRUE(known && known->endpoint == endpoint(number));
        ids.release(mine, kNow);
        i % 2 == 0 ? ids.release(mine, kNow) : ids.forget(mine);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(ids.size(), kMost);
}

}  // namespace
}  // namespace penstock::base
