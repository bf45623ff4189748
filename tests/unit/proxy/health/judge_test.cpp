#include "proxy/health/judge.h"

#include <gtest/gtest.h>

namespace penstock::health {
namespace {

using base::Health;

TEST(Judge, TheFirstFindingDecides) {
  const snapshot::HealthCheck check;
  Judge well;
  EXPECT_EQ(well.state(), Health::kUnknown);
  EXPECT_TRUE(well.take(true, check));
  EXPECT_EQ(well.state(), Health::kUp);
  Judge ill;
  EXPECT_TRUE(ill.take(false, check));
  EXPECT_EQ(ill.state(), Health::kDown);
}

TEST(Judge, ThenItTakesSoManyInARow) {
  snapshot::HealthCheck check;
  check.fails = 3;
  check.passes = 2;
  Judge judge;
  judge.take(true, check);
  for (const bool is_well : {false, false, true, false, false}) {
    EXPECT_FALSE(judge.take(is_well, check)) << "a pass between begins the count anew";
  }
  EXPECT_TRUE(judge.take(false, check));
  EXPECT_EQ(judge.state(), Health::kDown);
  EXPECT_FALSE(judge.take(true, check));
  EXPECT_FALSE(judge.take(false, check));
  EXPECT_FALSE(judge.take(true, check));
  EXPECT_TRUE(judge.take(true, check));
  EXPECT_EQ(judge.state(), Health::kUp);
}

}  // namespace
}  // namespace penstock::health
