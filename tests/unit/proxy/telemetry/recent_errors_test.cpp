#include "proxy/telemetry/recent_errors.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace penstock::telemetry {
namespace {

using base::EndReason;
using std::chrono::seconds;

std::set<std::string> kept(const RecentErrors& errors, EndReason reason) {
  std::set<std::string> out;
  errors.for_each(reason, [&](const RecentError& each) { out.emplace(each.what.view()); });
  return out;
}

TEST(RecentErrors, TheLastOfEachReasonAreKeptAndAllAreCounted) {
  RecentErrors errors;
  const base::WallTime now;
  errors.note(EndReason::kLimit, now).what = "other";
  for (std::size_t i = 0; i < RecentErrors::kKept + 3; ++i) {
    errors.note(EndReason::kNoEndpoint, now + seconds(i)).what = std::to_string(i);
  }
  EXPECT_EQ(errors.count(EndReason::kNoEndpoint), RecentErrors::kKept + 3);
  const auto last = kept(errors, EndReason::kNoEndpoint);
  EXPECT_EQ(last.size(), RecentErrors::kKept);
  EXPECT_FALSE(last.contains("2"));
  EXPECT_TRUE(last.contains("3"));
  EXPECT_TRUE(last.contains("10"));
  EXPECT_EQ(kept(errors, EndReason::kLimit), std::set<std::string>{"other"});
  EXPECT_EQ(kept(errors, EndReason::kDenied), std::set<std::string>());
}

TEST(RecentErrors, NothingOfAnOlderOneIsLeftInItsPlace) {
  RecentErrors errors;
  for (std::size_t i = 0; i < RecentErrors::kKept; ++i) {
    auto& entry = errors.note(EndReason::kDenied, {});
    entry.status = 403;
    entry.what = "secret.example";
    entry.client = "192.0.2.1";
    entry.endpoint = "10.0.0.1:80";
  }
  const auto& entry = errors.note(EndReason::kDenied, {});
  EXPECT_EQ(entry.status, 0);
  EXPECT_EQ(entry.what.view(), "");
  EXPECT_EQ(entry.client.view(), "");
  EXPECT_EQ(entry.endpoint.view(), "");
}

TEST(RecentErrors, TextsAreCutWhereTheirRoomEnds) {
  RecentErrors errors;
  auto& entry = errors.note(EndReason::kBadRequest, {});
  entry.what.append(std::string(100, 'a')).append(std::string(100, 'b')).append("c");
  EXPECT_EQ(entry.what.view(), std::string(100, 'a') + std::string(60, 'b'));
}

}  // namespace
}  // namespace penstock::telemetry
