#include "proxy/health/grpc_health.h"

#include <gtest/gtest.h>

namespace penstock::health {
namespace {

using namespace std::string_literals;

TEST(GrpcHealth, EncodesTheRequest) {
  EXPECT_EQ(encode_health_request(""), "\0\0\0\0\0"s);
  EXPECT_EQ(encode_health_request("db"), "\0\0\0\0\4\x0a\2db"s);
  const auto long_one = encode_health_request(std::string(200, 'x'));
  EXPECT_EQ(long_one.substr(0, 8), "\0\0\0\0\xcb\x0a\xc8\1"s);
}

TEST(GrpcHealth, ReadsTheStatus) {
  EXPECT_EQ(read_health_response("\0\0\0\0\2\x08\1"s), 1U);
  EXPECT_EQ(read_health_response("\0\0\0\0\2\x08\2"s), 2U);
  EXPECT_EQ(read_health_response("\0\0\0\0\0"s), 0U) << "absent is UNKNOWN";
  EXPECT_EQ(read_health_response("\0\0\0\0\7\x12\3abc\x08\1"s), 1U) << "others are skipped";
}

TEST(GrpcHealth, RefusesWhatIsNoWholeMessage) {
  for (const auto& bytes :
       {""s, "\0\0\0\0"s, "\0\0\0\0\2\x08"s, "\0\0\0\0\1\x08\1"s, "\1\0\0\0\2\x08\1"s,
        "\0\0\0\0\2\x08\xff"s, "\0\0\0\0\2\x12\x7f"s, "\0\0\0\0\1\x0f"s,
        "\0\0\0\0\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"s, "\xff\xff\xff\xff\xff"s}) {
    EXPECT_FALSE(read_health_response(bytes)) << bytes.size();
  }
}

}  // namespace
}  // namespace penstock::health
