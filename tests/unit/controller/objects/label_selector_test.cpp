#include "controller/objects/label_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::objects {
namespace {

using Labels = std::map<std::string, std::string>;

bool selects(std::string_view selector, const Labels& labels) {
  const auto parsed = LabelSelector::parse(selector);
  EXPECT_TRUE(parsed) << selector << ": " << (parsed ? "" : parsed.error().message);
  return parsed && parsed->matches(labels);
}

TEST(LabelSelector, ComparesValues) {
  const Labels shop{{"team", "shop"}, {"example.com/tier", "web_1"}, {"empty", ""}};
  EXPECT_TRUE(selects("team=shop", shop));
  EXPECT_TRUE(selects(" team == shop ", shop));
  EXPECT_FALSE(selects("team=pay", shop));
  EXPECT_FALSE(selects("none=shop", shop));
  EXPECT_TRUE(selects("team!=pay", shop));
  EXPECT_FALSE(selects("team != shop", shop));
  EXPECT_TRUE(selects("none!=shop", shop)) << "a label that is missing differs from every value";
  EXPECT_TRUE(selects("example.com/tier=web_1", shop));
  EXPECT_TRUE(selects("empty=", shop));
  EXPECT_FALSE(selects("team=", shop));
}

TEST(LabelSelector, ComparesWithSets) {
  const Labels shop{{"team", "shop"}};
  EXPECT_TRUE(selects("team in (pay, shop)", shop));
  EXPECT_FALSE(selects("team in (pay)", shop));
  EXPECT_FALSE(selects("none in (pay,shop)", shop));
  EXPECT_TRUE(selects("team notin (pay,store)", shop));
  EXPECT_FALSE(selects("team notin(shop)", shop));
  EXPECT_TRUE(selects("none notin (shop)", shop));
}

TEST(LabelSelector, AsksForPresence) {
  const Labels shop{{"team", "shop"}};
  EXPECT_TRUE(selects("team", shop));
  EXPECT_FALSE(selects("none", shop));
  EXPECT_TRUE(selects("!none", shop));
  EXPECT_FALSE(selects("! team", shop));
}

TEST(LabelSelector, WantsEveryRequirement) {
  const std::string selector = "team in (shop,pay), env!=test,!legacy";
  EXPECT_TRUE(selects(selector, {{"team", "pay"}, {"env", "prod"}}));
  EXPECT_FALSE(selects(selector, {{"team", "pay"}, {"env", "test"}}));
  EXPECT_FALSE(selects(selector, {{"team", "pay"}, {"legacy", ""}}));
  EXPECT_FALSE(selects(selector, {}));
}

TEST(LabelSelector, RefusesWhatItCannotRead) {
  for (const auto* text :
       {"", ",", "a,", "=b", "a=b c", "a in b", "a in (b", "a of (b)", "a=b)", "a/b/c=d", "-a=b",
        "a=-", "!a=b", "a>1", "Upper.Case/x=y", "a=(b)", "a in ((b))"}) {
    const auto parsed = LabelSelector::parse(text);
    EXPECT_FALSE(parsed) << text;
    if (!parsed) {
      EXPECT_THAT(parsed.error().message, testing::HasSubstr("expected k=v, k!=v"));
    }
  }
}

}  // namespace
}  // namespace penstock::objects
