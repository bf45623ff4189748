#include <gtest/gtest.h>

#include "proxy/base/line_rate.h"
#include "proxy/base/token_bucket.h"

namespace penstock::base {
namespace {

using namespace std::chrono_literals;

TEST(TokenBucket, GivesItsRate) {
  SteadyTime now{};
  TokenBucket bucket(10'000, now);
  EXPECT_EQ(bucket.available(now), 10'000U) << "a second's worth at once";
  bucket.take(10'000);
  EXPECT_EQ(bucket.available(now), 0U);
  std::uint64_t taken = 0;
  for (int i = 0; i < 1000; ++i) {
    now += 7ms;
    const auto available = bucket.available(now);
    bucket.take(available);
    taken += available;
  }
  EXPECT_NEAR(static_cast<double>(taken), 70'000, 100);
  now += 1h;
  EXPECT_EQ(bucket.available(now), 10'000U) << "silence is not saved up";
}

TEST(TokenBucket, AccountsForTimeThatMakesNoWholeToken) {
  SteadyTime now{};
  TokenBucket bucket(100, now);
  bucket.take(100);
  for (int i = 0; i < 100; ++i) {
    now += 1ms;
    bucket.available(now);
  }
  EXPECT_GE(bucket.available(now), 9U);
}

TEST(TokenBucket, DoesNotOverflow) {
  SteadyTime now{};
  TokenBucket bucket(4'000'000'000, now);
  bucket.take(4'000'000'000);
  now += 24h;
  EXPECT_EQ(bucket.available(now), 4'000'000'000U);
}

TEST(LineRate, SaysHowManyWereTooMany) {
  SteadyTime now{1h};
  LineRate rate(2);
  EXPECT_EQ(rate.admit(now), 0U);
  EXPECT_EQ(rate.admit(now), 0U);
  EXPECT_EQ(rate.admit(now), std::nullopt);
  EXPECT_EQ(rate.admit(now + 900ms), std::nullopt);
  EXPECT_EQ(rate.admit(now + 1s), 2U);
  EXPECT_EQ(rate.admit(now + 1s), 0U);
}

}  // namespace
}  // namespace penstock::base
