#include <gtest/gtest.h>

#include "proxy/base/ip_net.h"
#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

class FiltersTest : public testing::Test {
 protected:
  FiltersTest() {
    route_.upstream = "up";
    exchange_.request = &request_;
    exchange_.global = &global_;
    exchange_.texts = &texts_;
    exchange_.host = "shop.example";
    exchange_.has_endpoints = true;
    exchange_.client_address = *base::parse_address("10.0.0.1");
    request_.path_and_query = "/a/?q=1";
  }

  /// The first answer of the route's filters; status 0 means that the request goes on.
  Verdict run() {
    for (const auto& filter : make_filters(route_)) {
      auto verdict = filter->on_request(exchange_);
      if (!verdict.is_next()) return verdict;
    }
    return Verdict::next();
  }

  snapshot::Route route_;
  snapshot::Global global_;
  GlobalTexts texts_ = make_texts(global_);
  http::RequestHead request_;
  Exchange exchange_;
};

TEST_F(FiltersTest, ABareRouteLetsARequestPass) { EXPECT_TRUE(run().is_next()); }

TEST_F(FiltersTest, RedirectsToHttpsWithoutOneTrailingSlash) {
  route_.policy.https_redirect.is_enabled = true;
  auto verdict = run();
  EXPECT_EQ(verdict.status(), 308);
  EXPECT_EQ(verdict.location(), "https://shop.example/a/?q=1");
  request_.path_and_query = "/a/";
  EXPECT_EQ(run().location(), "https://shop.example/a");
  request_.path_and_query = "/";
  EXPECT_EQ(run().location(), "https://shop.example");
  route_.policy.https_redirect.keeps_trailing_slash = true;
  EXPECT_EQ(run().location(), "https://shop.example/");
  exchange_.scheme = "https";
  EXPECT_TRUE(run().is_next());
}

TEST_F(FiltersTest, DeniesBeforeItAllows) {
  route_.policy.ip_access.allowed = {*base::IpNet::parse("10.0.0.0/8")};
  EXPECT_TRUE(run().is_next());
  route_.policy.ip_access.denied = {*base::IpNet::parse("10.0.0.1")};
  EXPECT_EQ(run().status(), 403);
  route_.policy.ip_access = {.allowed = {*base::IpNet::parse("192.168.0.0/16")}, .denied = {}};
  EXPECT_EQ(run().status(), 403);
}

TEST_F(FiltersTest, RefusesABodyAnnouncedTooLarge) {
  route_.policy.body.max_size = {10};
  request_.content_length = 10;
  EXPECT_TRUE(run().is_next());
  request_.content_length = 11;
  EXPECT_EQ(run().status(), 413);
  route_.policy.body.max_size = {0};
  EXPECT_TRUE(run().is_next()) << "0 means no limit";
}

TEST_F(FiltersTest, MeetARequestInTheOrderOfTheOriginal) {
  route_.ingress = "web";
  route_.policy.https_redirect.is_enabled = true;
  route_.policy.ip_access.denied = {*base::IpNet::parse("0.0.0.0/0")};
  exchange_.has_endpoints = false;
  EXPECT_EQ(run().status(), 308) << "redirect before 503";
  exchange_.scheme = "https";
  EXPECT_EQ(run().status(), 503) << "503 before 403";
  exchange_.has_endpoints = true;
  EXPECT_EQ(run().status(), 403);
  route_.denied_why = "allowlist-source-range: expected networks, got 'x'";
  EXPECT_EQ(run().status(), 503) << "a broken security setting closes the route";
}

TEST_F(FiltersTest, TheBuiltInDefaultBackendAnswers404) {
  route_.upstream.clear();
  EXPECT_EQ(run().status(), 404);
}

TEST_F(FiltersTest, ADefaultBackendWithoutEndpointsAnswers404) {
  route_.ingress.clear();
  exchange_.has_endpoints = false;
  EXPECT_EQ(run().status(), 404);
}

TEST_F(FiltersTest, HstsIsForTlsConnectionsOnly) {
  for (const auto& filter : make_filters(route_)) filter->on_response(exchange_);
  EXPECT_TRUE(exchange_.response_headers.empty());
  exchange_.is_tls = true;
  for (const auto& filter : make_filters(route_)) filter->on_response(exchange_);
  ASSERT_EQ(exchange_.response_headers.size(), 1U);
  EXPECT_EQ(exchange_.response_headers[0].value, "max-age=31536000; includeSubDomains");
}

}  // namespace
}  // namespace penstock::filters
