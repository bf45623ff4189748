#include "proxy/base/pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::base {
namespace {

TEST(Pattern, FindsBytesAnywhere) {
  const auto pattern = Pattern::compile("^\\+PONG|\\xff\\x00ok");
  ASSERT_TRUE(pattern) << pattern.error().message;
  EXPECT_TRUE(pattern->matches("+PONG\r\n"));
  EXPECT_TRUE(pattern->matches(std::string_view("..\xff\0ok", 6)));
  EXPECT_FALSE(pattern->matches("-ERR +PONG"));
}

TEST(Pattern, RefusesWhatIsNone) {
  EXPECT_FALSE(Pattern::compile("(a"));
  EXPECT_FALSE(Pattern::compile("(a)\\1")) << "no back references: linear time";
  EXPECT_FALSE(Pattern::compile(std::string(Pattern::kLongest + 1, 'a')));
  EXPECT_FALSE(Pattern::compile("((a{900}){900}){900}")) << "beyond the memory";
}

TEST(Pattern, TakesLinearTime) {
  const auto pattern = Pattern::compile("(a*)*(a*)*(a*)*b");
  ASSERT_TRUE(pattern);
  EXPECT_FALSE(pattern->matches(std::string(16 << 10, 'a')));
}

}  // namespace
}  // namespace penstock::base
