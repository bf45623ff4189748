#include "controller/kube/line_splitter.h"

#include <gtest/gtest.h>

#include <vector>

namespace penstock::kube {
namespace {

using Lines = std::vector<std::string>;

void take_all(LineSplitter& splitter, Lines& lines) {
  while (const auto line = splitter.take()) lines.emplace_back(*line);
}

TEST(LineSplitter, EverySplitInThree) {
  const std::string text = "first\n\nthe third\r\n{\"a\":1}\nunfinished";
  const Lines expected{"first", "", "the third", "{\"a\":1}"};
  for (std::size_t a = 0; a <= text.size(); ++a) {
    for (std::size_t b = a; b <= text.size(); ++b) {
      LineSplitter splitter(100);
      Lines lines;
      for (const auto& piece : {text.substr(0, a), text.substr(a, b - a), text.substr(b)}) {
        splitter.push(piece);
        take_all(splitter, lines);
        EXPECT_FALSE(splitter.is_too_long());
      }
      EXPECT_EQ(lines, expected) << a << ' ' << b;
    }
  }
}

TEST(LineSplitter, LinesMayBeTakenAfterSeveralPushes) {
  LineSplitter splitter(100);
  splitter.push("a\nb");
  EXPECT_EQ(splitter.take(), "a");
  splitter.push("c\nd\n");
  Lines lines;
  take_all(splitter, lines);
  EXPECT_EQ(lines, (Lines{"bc", "d"}));
}

TEST(LineSplitter, BoundIsPerLine) {
  LineSplitter splitter(4);
  Lines lines;
  for (int i = 0; i < 10; ++i) splitter.push("abcd\n");
  take_all(splitter, lines);
  EXPECT_EQ(lines.size(), 10U);
  splitter.push("abcd");
  take_all(splitter, lines);
  EXPECT_FALSE(splitter.is_too_long());
  splitter.push("e");
  take_all(splitter, lines);
  EXPECT_TRUE(splitter.is_too_long());
}

}  // namespace
}  // namespace penstock::kube
