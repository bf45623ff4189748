#include "proxy/control/taps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace penstock::control {
namespace {

using testing::HasSubstr;

class TapsTest : public testing::Test {
 protected:
  using Parameters = decltype(base::HttpRequest::parameters);
  static base::HttpRequest with(Parameters parameters) {
    base::HttpRequest out;
    out.parameters = std::move(parameters);
    return out;
  }
  base::HttpReply begin(Parameters parameters) { return taps_.begin(with(std::move(parameters))); }
  static std::string id_of(const base::HttpReply& reply) {
    const auto at = reply.body.find("\"id\":\"");
    return at == std::string::npos ? reply.body : reply.body.substr(at + 6, 32);
  }

  asio::io_context io_;
  Taps taps_{io_, [] -> worker::WorkerPool* { return nullptr; }};
};

TEST_F(TapsTest, RefusesWhatItCannotRead) {
  EXPECT_EQ(begin({}).status, 400);
  EXPECT_EQ(begin({{"port", "53"}}).status, 400);
  EXPECT_EQ(begin({{"port", "http/53"}}).status, 400);
  EXPECT_EQ(begin({{"port", "tcp/"}}).status, 400);
  EXPECT_EQ(begin({{"port", "tcp/" + std::string(100, '1')}}).status, 400);
  EXPECT_EQ(begin({{"port", "tcp/1"}, {"client", "10.0.0.0/40"}}).status, 400);
  EXPECT_EQ(begin({{"port", "tcp/1"}, {"seconds", "0"}}).status, 400);
  EXPECT_EQ(begin({{"port", "tcp/1"}, {"seconds", "601"}}).status, 400);
  EXPECT_EQ(begin({{"port", "tcp/1"}, {"seconds", "soon"}}).status, 400);
  for (const auto* bytes : {"0", "4097", "-1", "all", "1e3", "99999999999999999999"}) {
    const auto refused = begin({{"port", "tcp/1"}, {"bytes", bytes}});
    EXPECT_EQ(refused.status, 400) << bytes;
    EXPECT_THAT(refused.body, HasSubstr(std::string("bytes: expected 1 to 4096, got '") + bytes));
  }
  EXPECT_EQ(begin({{"port", "tcp/1"}, {"bytes", "4096"}}).status, 200);
  EXPECT_EQ(begin({{"port", "udp/53"}, {"bytes", "1"}}).status, 200);
}

TEST_F(TapsTest, IsFollowedUntilItIsEnded) {
  const auto id = id_of(begin({{"port", "tcp/1"}, {"client", "10.0.0.0/8"}}));
  const auto lines = taps_.take(with({{"id", id}}));
  EXPECT_EQ(lines.status, 200);
  EXPECT_THAT(lines.body,
              HasSubstr(R"({"lines":[],"dropped":0,"not_recorded":0,"is_over":false})"));
  EXPECT_THAT(taps_.end(with({{"id", id}})).body, HasSubstr(R"("is_over":true)"));
  EXPECT_EQ(taps_.take(with({{"id", id}})).status, 404);
  EXPECT_EQ(taps_.end(with({{"id", id}})).status, 404);
  EXPECT_EQ(taps_.take(with({})).status, 404);
}

TEST_F(TapsTest, IsBoundedInNumber) {
  std::set<std::string> ids;
  for (std::size_t i = 0; i < Taps::kMostTaps; ++i) ids.insert(id_of(begin({{"port", "tcp/1"}})));
  EXPECT_EQ(ids.size(), Taps::kMostTaps);
  EXPECT_EQ(begin({{"port", "tcp/1"}}).status, 409);
  taps_.end(with({{"id", *ids.begin()}}));
  EXPECT_EQ(begin({{"port", "tcp/1"}}).status, 200);
}

}  // namespace
}  // namespace penstock::control
