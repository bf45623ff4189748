#include "controller/kube/backoff.h"

#include <gtest/gtest.h>

namespace penstock::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Backoff, DoublesUpToItsBound) {
  Backoff backoff(milliseconds(100), milliseconds(1000), [] { return 1.0; });
  for (const int expected : {100, 200, 400, 800, 1000, 1000}) {
    EXPECT_EQ(backoff.next(), milliseconds(expected));
  }
  backoff.reset();
  EXPECT_EQ(backoff.next(), milliseconds(100));
}

TEST(Backoff, JitterTakesAtMostHalf) {
  Backoff backoff(milliseconds(100), milliseconds(1000), [] { return 0.0; });
  EXPECT_EQ(backoff.next(), milliseconds(50));
  EXPECT_EQ(backoff.next(), milliseconds(100));
}

TEST(Backoff, HonoursTheServerWithinReason) {
  Backoff backoff(milliseconds(100), milliseconds(1000), [] { return 1.0; });
  EXPECT_EQ(backoff.next(seconds(7)), seconds(7));
  EXPECT_EQ(backoff.next(seconds(0)), milliseconds(200));
  EXPECT_EQ(backoff.next(seconds(1'000'000)), Backoff::kMaxRetryAfter);
}

TEST(Backoff, ManyFailuresDoNotOverflow) {
  Backoff backoff(milliseconds(500), milliseconds(30'000), [] { return 1.0; });
  for (int i = 0; i < 1000; ++i) backoff.next();
  EXPECT_EQ(backoff.next(), milliseconds(30'000));
}

}  // namespace
}  // namespace penstock::kube
