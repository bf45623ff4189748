#include "proxy/control/admin_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace penstock::control {
namespace {

using snapshot::PartKind;
using testing::HasSubstr;
using testing::Not;

void add(snapshot::Snapshot& snapshot, const std::string& name, std::size_t endpoints) {
  snapshot::Upstream upstream;
  upstream.name = name;
  snapshot::Endpoints of;
  of.endpoints.resize(endpoints);
  snapshot.parts[{PartKind::kUpstream, name}] = std::make_shared<const snapshot::Part>(upstream);
  snapshot.parts[{PartKind::kEndpoints, name}] = std::make_shared<const snapshot::Part>(of);
}

/// The names of each page, one after the other.
std::vector<std::string> pages(const snapshot::Snapshot& snapshot) {
  std::vector<std::string> out;
  PageRequest wanted;
  do {
    const auto page = page_of_upstreams(snapshot, wanted);
    EXPECT_EQ(page.total, 5U);
    auto& names = out.emplace_back();
    for (const auto& [key, part] : page.items) names += key->name;
    wanted.after = page.next;
  } while (!wanted.after.empty() && out.size() < 10);
  return out;
}

TEST(PageOfUpstreams, EndsWhereEndpointsAreManyAndLeavesNothingOut) {
  snapshot::Snapshot snapshot;
  add(snapshot, "a", 1500);
  add(snapshot, "b", 500);
  add(snapshot, "c", 1);
  add(snapshot, "d", 5000);
  add(snapshot, "e", 0);
  EXPECT_EQ(pages(snapshot), (std::vector<std::string>{"ab", "c", "d", "e"}));
}

std::string written(const worker::EndpointReport& report) {
  snapshot::Endpoints endpoints;
  endpoints.endpoints.push_back({"10.0.0.1", 80, 1});
  base::JsonWriter json;
  write_upstream(json, {}, &endpoints, {{"10.0.0.1:80", report}});
  return json.take();
}

TEST(WriteUpstream, AnEndpointIsUpWhereNeitherFailuresNorChecksHaveTakenItOut) {
  worker::EndpointReport report;
  EXPECT_THAT(written(report), HasSubstr(R"("is_up":true,"check":"none")"));
  report.check = base::Health::kUnknown;
  EXPECT_THAT(written(report), HasSubstr(R"("is_up":true,"check":"unknown")"));
  report.check = base::Health::kDown;
  EXPECT_THAT(written(report), HasSubstr(R"("is_up":false,"check":"down","down_workers":0)"));
  report.check = base::Health::kUp;
  report.down_workers = 1;
  EXPECT_THAT(written(report), HasSubstr(R"("is_up":false,"check":"up","down_workers":1)"));
}

TEST(ErrorsJson, NamesTheReasonsThatThereWereInTheWordsOfTheLogs) {
  worker::Report report;
  report.errors.resize(base::kEndReasons);
  auto& denied = report.errors[static_cast<std::size_t>(base::EndReason::kDenied)];
  denied.count = 3;
  denied.last.emplace_back().what = "a\"b";
  const auto text = errors_json(report);
  EXPECT_THAT(text, HasSubstr(R"("reason":"denied")"));
  EXPECT_THAT(text, HasSubstr(R"("what":"a\"b")"));
  EXPECT_THAT(text, Not(HasSubstr("no_endpoint")));
}

TEST(SessionsJson, HasTheSessionsAndTheReasonsOfThoseThatHaveEnded) {
  worker::SessionsReport report;
  report.active = 7;
  report.examined = 6;
  auto& one = report.busiest.emplace_back();
  one.stream = "tcp/1";
  one.protocol = "TCP";
  one.received = 5;
  report.ended.resize(base::kEndReasons);
  report.ended[static_cast<std::size_t>(base::EndReason::kDenied)] = 2;
  report.ended[static_cast<std::size_t>(base::EndReason::kLimit)] = 3;
  const auto text = sessions_json(report);
  EXPECT_THAT(text, HasSubstr(R"({"active":7,"examined":6,"items":[{"stream":"tcp/1",)"));
  EXPECT_THAT(text, HasSubstr(R"("bytes_received":5,"bytes_sent":0}])"));
  EXPECT_THAT(text,
              HasSubstr(R"("ended":[{"reason":"limit","count":3},{"reason":"denied","count":2}])"));
}

TEST(SessionsRequest, RefusesWhatIsNoPort) {
  base::HttpRequest request;
  EXPECT_EQ(sessions_request(request)->most, 20U);
  request.parameters = {{"port", "udp/53"}, {"limit", "1000"}};
  EXPECT_EQ(sessions_request(request)->port, "udp/53");
  EXPECT_EQ(sessions_request(request)->most, 1000U);
  request.parameters["limit"] = "1001";
  EXPECT_FALSE(sessions_request(request));
  request.parameters = {{"port", "53"}};
  EXPECT_FALSE(sessions_request(request));
}

}  // namespace
}  // namespace penstock::control
