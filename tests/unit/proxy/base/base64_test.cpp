#include "proxy/base/base64.h"

#include <gtest/gtest.h>

namespace penstock::base {
namespace {

TEST(Base64, ReadsPaddedTextAndNothingElse) {
  EXPECT_EQ(*decode_base64(""), "");
  EXPECT_EQ(*decode_base64("YQ=="), "a");
  EXPECT_EQ(*decode_base64("YWI="), "ab");
  EXPECT_EQ(*decode_base64("YWJj\nZGVm\n"), "abcdef");
  for (const char* bad : {"YQ", "YQ=", "YQ==YQ==", "====", "Y===", "Y-==", "="}) {
    EXPECT_FALSE(decode_base64(bad)) << bad;
  }
}

TEST(Base64, ReadsWhatItWrites) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(*decode_base64(encode_base64(bytes)), bytes);
    bytes.push_back(static_cast<char>(i * 7));
  }
  EXPECT_EQ(encode_base64("hello"), "aGVsbG8=");
}

}  // namespace
}  // namespace penstock::base
