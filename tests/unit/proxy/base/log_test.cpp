#include "proxy/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace penstock::base::log {
namespace {

std::string line_of(Format format, std::string_view value) {
  testing::internal::CaptureStderr();
  start("test", Level::kInfo, format);
  const std::vector<Field> fields{{"why", value}, {"count", std::uint64_t{2}}};
  write(Level::kInfo, "said", fields);
  start("test", Level::kInfo, Format::kText);
  return testing::internal::GetCapturedStderr();
}

TEST(LogLine, PutsWhatIsNoWordIntoQuotes) {
  EXPECT_THAT(line_of(Format::kText, "plain"), testing::EndsWith(" said why=plain count=2\n"));
  EXPECT_THAT(line_of(Format::kText, ""), testing::HasSubstr(R"( why="" )"));
  EXPECT_THAT(line_of(Format::kText, "two words"), testing::HasSubstr(R"( why="two words" )"));
  EXPECT_THAT(line_of(Format::kText, R"({"error":"x"})"),
              testing::HasSubstr(R"( why="{\"error\":\"x\"}" )"));
  EXPECT_THAT(line_of(Format::kText, R"(a\" b=c)"), testing::HasSubstr(R"( why="a\\\" b=c" )"));
  EXPECT_THAT(line_of(Format::kText, R"(a b\)"), testing::HasSubstr(R"( why="a b\\" )"));
  EXPECT_THAT(line_of(Format::kText, "a\nb"), testing::Not(testing::HasSubstr("a\nb")));
}

TEST(LogLine, IsAnObjectInJson) {
  EXPECT_THAT(line_of(Format::kJson, R"(say "a")"),
              testing::HasSubstr(R"("message":"said","why":"say \"a\"","count":2})"));
}

}  // namespace
}  // namespace penstock::base::log
