#include "proxy/telemetry/redaction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "proxy/telemetry/tap.h"

namespace penstock::telemetry {
namespace {

using namespace std::string_literals;

std::string redacted(std::string_view bytes) {
  std::string out;
  append_redacted(bytes, out);
  return out;
}

TEST(Redaction, EachOfTheBytes) {
  constexpr std::string_view kPunctuation = " !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~";
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<char>(value);
    std::string expected = ".";
    if (value >= 'a' && value <= 'z') expected = "a";
    if (value >= 'A' && value <= 'Z') expected = "A";
    if (value >= '0' && value <= '9') expected = "9";
    if (kPunctuation.contains(byte)) expected = std::string(1, byte);
    if (byte == '\\') expected = R"(\\)";
    if (byte == '"') expected = R"(\")";
    if (byte == '\0') expected = R"(\0)";
    if (byte == '\r') expected = R"(\r)";
    if (byte == '\n') expected = R"(\n)";
    if (byte == '\t') expected = R"(\t)";
    EXPECT_EQ(redacted({&byte, 1}), expected) << value;
  }
}

TEST(Redaction, NoMoreIsLeftOfABinaryByteThanItsKind) {
  std::map<std::string, int> of_kind;
  for (int value = 0; value < 256; ++value) {
    const auto byte = static_cast<char>(value);
    ++of_kind[redacted({&byte, 1})];
  }
  EXPECT_EQ(of_kind["a"], 26);
  EXPECT_EQ(of_kind["A"], 26);
  EXPECT_EQ(of_kind["9"], 10);
  EXPECT_EQ(of_kind["."], 256 - 26 - 26 - 10 - 32 - 4) << "the dot among them";
}

TEST(Redaction, WhatIsSaidCannotBeReadAndItsShapeCan) {
  EXPECT_EQ(redacted("AUTH user pa55Word!\r\n"), R"(AAAA aaaa aa99Aaaa!\r\n)");
  EXPECT_EQ(redacted("\0\0\0\x08\x04\xd2\x16\x2f"s), R"(\0\0\0..../)");
  EXPECT_EQ(redacted("*1\r\n$4\r\nPING\r\n"), R"(*9\r\n$9\r\nAAAA\r\n)");
  EXPECT_EQ(redacted("p\xc3\xa4\x1b[31m\x7f"), "a...[99a.") << "nothing that moves a terminal";
  EXPECT_EQ(redacted(""), "");
}

TEST(TapLines, TheirTextIsBounded) {
  TapLines written;
  const std::string half(TapLines::kMostSize / 2, 'x');
  for (int i = 0; i < 4; ++i) written.add(half);
  auto taken = written.take();
  EXPECT_EQ(taken.lines.size(), 2U);
  EXPECT_EQ(taken.dropped, 2U);
  EXPECT_TRUE(written.has_room()) << "what was taken makes room";
}

TEST(TapLines, ABoundedNumberRecordsAndTheRestIsCounted) {
  TapLines written;
  for (std::size_t i = 0; i < TapLines::kMostRecordings; ++i) {
    ASSERT_TRUE(written.enter_recording());
  }
  EXPECT_FALSE(written.enter_recording());
  EXPECT_FALSE(written.enter_recording());
  EXPECT_EQ(written.take().not_recorded, 2U);
  EXPECT_EQ(written.take().not_recorded, 0U);
  written.leave_recording();
  EXPECT_TRUE(written.enter_recording());
}

TEST(TapLines, TakeNothingOnceNobodyFollows) {
  TapLines written;
  written.add("before");
  written.end();
  written.add("after");
  EXPECT_FALSE(written.has_room());
  EXPECT_FALSE(written.enter_recording());
  const auto taken = written.take();
  EXPECT_EQ(taken.lines, std::vector<std::string>{"before"});
  EXPECT_EQ(taken.dropped, 0U);
  EXPECT_EQ(taken.not_recorded, 0U);
}

}  // namespace
}  // namespace penstock::telemetry
