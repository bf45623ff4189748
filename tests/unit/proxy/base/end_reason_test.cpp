#include "proxy/base/end_reason.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace penstock::base {
namespace {

error_code of(int number) { return {number, boost::system::system_category()}; }

TEST(EndReason, EveryReasonHasItsOwnWord) {
  std::set<std::string_view> words;
  for (const auto& row : end_reasons()) {
    EXPECT_TRUE(words.insert(row.word).second) << row.word;
    EXPECT_EQ(row.word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    EXPECT_TRUE(row.meaning.ends_with('.')) << row.word;
    EXPECT_EQ(word_of(row.reason), row.word);
  }
  EXPECT_EQ(words.size(), kEndReasons);
}

TEST(EndReason, TellsWhyAConnectionWasNotMade) {
  EXPECT_EQ(connect_failure(of(ECONNREFUSED), false), EndReason::kConnectRefused);
  EXPECT_EQ(connect_failure(of(EHOSTUNREACH), false), EndReason::kConnectUnreachable);
  EXPECT_EQ(connect_failure(of(ETIMEDOUT), false), EndReason::kConnectTimeout);
  EXPECT_EQ(connect_failure(asio::error::operation_aborted, true), EndReason::kConnectTimeout);
  EXPECT_EQ(connect_failure(of(EADDRNOTAVAIL), false), EndReason::kOutOfResources);
  EXPECT_EQ(connect_failure(of(EMFILE), false), EndReason::kOutOfResources);
  EXPECT_EQ(connect_failure(of(EINVAL), false), EndReason::kInternal);
}

TEST(EndReason, TellsWhoBrokeOff) {
  EXPECT_EQ(broken(Side::kClient, of(ECONNRESET)), EndReason::kClientReset);
  EXPECT_EQ(broken(Side::kUpstream, of(EPIPE)), EndReason::kUpstreamReset);
  EXPECT_EQ(broken(Side::kClient, of(ETIMEDOUT)), EndReason::kClientLost);
  EXPECT_EQ(broken(Side::kUpstream, of(ENETUNREACH)), EndReason::kUpstreamLost);
  const auto tls = boost::system::errc::make_error_code(boost::system::errc::protocol_error);
  EXPECT_EQ(broken(Side::kClient, tls), EndReason::kTlsFailure);
  EXPECT_EQ(broken(Side::kUpstream, tls), EndReason::kUpstreamTlsFailure);
}

}  // namespace
}  // namespace penstock::base
