#include "proxy/session/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

namespace penstock::session {
namespace {

using base::EndReason;
using namespace std::chrono_literals;

telemetry::UpstreamTry attempt(const char* address, std::optional<EndReason> failure = {}) {
  telemetry::UpstreamTry out;
  out.address = {asio::ip::make_address(address), 80};
  out.failure = failure;
  return out;
}

class NotedExchange : public testing::Test {
 protected:
  NotedExchange() {
    exchange_.host = "shop.example";
    exchange_.path = "/cart";
    exchange_.client_address = asio::ip::make_address("::ffff:192.0.2.1");
    exchange_.route = &route_;
  }
  /// The reason, status and endpoint of what is noted; empty: nothing is.
  std::string noted(std::uint16_t status, bool is_parsed = true) {
    exchange_.status = status;
    telemetry::RecentErrors errors;
    note_exchange(errors, exchange_, is_parsed, {});
    std::string out;
    for (const auto& row : base::end_reasons()) {
      errors.for_each(row.reason, [&](const telemetry::RecentError& each) {
        EXPECT_EQ(each.status, status);
        EXPECT_EQ(each.client.view(), "192.0.2.1");
        EXPECT_EQ(each.what.view(), is_parsed ? "shop.example/cart" : "");
        out += std::string(row.word) + " " + std::string(each.endpoint.view());
      });
    }
    return out;
  }

  snapshot::Route route_;
  filters::Exchange exchange_;
};

TEST_F(NotedExchange, OurOwnAnswersHaveTheirReason) {
  exchange_.is_local = true;
  EXPECT_EQ(noted(301), "");
  EXPECT_EQ(noted(403), "denied ");
  EXPECT_EQ(noted(408), "client_idle_timeout ");
  EXPECT_EQ(noted(413), "bad_request ");
  EXPECT_EQ(noted(429), "limit ");
  EXPECT_EQ(noted(503), "no_endpoint ");
  route_.denied_why = "allowlist-source-range: not a network";
  EXPECT_EQ(noted(503), "denied ");
  exchange_.route = nullptr;
  EXPECT_EQ(noted(404), "no_rule ");
  EXPECT_EQ(noted(400, false), "bad_request ");
}

TEST_F(NotedExchange, AnEndpointIsNamedWithWhatItDid) {
  exchange_.is_local = true;
  exchange_.tries = {attempt("10.0.0.1", EndReason::kConnectRefused)};
  EXPECT_EQ(noted(502), "connect_refused 10.0.0.1:80");
  exchange_.tries = {attempt("10.0.0.1", EndReason::kUpstreamIdleTimeout)};
  EXPECT_EQ(noted(504), "upstream_idle_timeout 10.0.0.1:80");
  exchange_.is_local = false;
  exchange_.tries = {attempt("10.0.0.1")};
  EXPECT_EQ(noted(500), "bad_status 10.0.0.1:80");
}

TEST_F(NotedExchange, WhatAnotherEndpointMadeGoodIsNotedOfTheOneThatFailed) {
  exchange_.tries = {attempt("10.0.0.1", EndReason::kConnectTimeout), attempt("10.0.0.2")};
  EXPECT_EQ(noted(200), "connect_timeout 10.0.0.1:80");
  exchange_.tries = {attempt("10.0.0.2")};
  EXPECT_EQ(noted(200), "");
}

class DetailedLines : public testing::Test {
 protected:
  DetailedLines() {
    record_.host = "shop.example";
    record_.status = 200;
    record_.client.address = asio::ip::make_address("192.0.2.1");
    record_.client.peer = {record_.client.address, 4000};
    record_.client.server_port = 443;
  }
  /// What is written while the rule stands.
  std::string written(const LogRule& rule, base::SteadyTime now = {}) {
    LogRules rules;
    rules.set({rule});
    testing::internal::CaptureStderr();
    rules.apply(record_, now);
    return testing::internal::GetCapturedStderr();
  }

  telemetry::HttpRecord record_;
  base::SteadyTime later_ = base::SteadyTime() + 60s;
};

TEST_F(DetailedLines, OneOfHostClientAndPortDecides) {
  const auto net = *base::IpNet::parse("192.0.2.0/24");
  const auto other = *base::IpNet::parse("198.51.100.0/24");
  EXPECT_NE(written({"shop.example", {}, 0, 0, later_}), "");
  EXPECT_EQ(written({"other.example", {}, 0, 0, later_}), "");
  EXPECT_NE(written({"", {net}, 0, 0, later_}), "");
  EXPECT_EQ(written({"", {other}, 0, 0, later_}), "");
  EXPECT_NE(written({"", {}, 443, 0, later_}), "");
  EXPECT_EQ(written({"", {}, 80, 0, later_}), "");
}

TEST_F(DetailedLines, TheLevelAndTheTimeBoundThem) {
  EXPECT_EQ(written({"shop.example", {}, 0, 400, later_}), "");
  record_.status = 404;
  EXPECT_NE(written({"shop.example", {}, 0, 400, later_}), "");
  EXPECT_EQ(written({"shop.example", {}, 0, 500, later_}), "");
  EXPECT_EQ(written({"shop.example", {}, 0, 0, later_}, later_), "");
}

TEST_F(DetailedLines, ASessionThatFailedIsAtLeastAWarning) {
  telemetry::StreamRecord session;
  session.client = record_.client;
  session.client.server_port = 5432;
  LogRules rules;
  rules.set({{"", {}, 5432, 400, later_}});
  const auto lines = [&](EndReason reason) {
    session.reason = reason;
    testing::internal::CaptureStderr();
    rules.apply(session, {});
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(lines(EndReason::kClientClosed), "");
  EXPECT_NE(lines(EndReason::kUpstreamReset).find("reason=upstream_reset"), std::string::npos);
}

TEST_F(DetailedLines, AFloodIsCutAndCounted) {
  LogRules rules;
  rules.set({{"shop.example", {}, 0, 0, later_}});
  testing::internal::CaptureStderr();
  for (std::uint32_t i = 0; i < LogRules::kMostLines + 7; ++i) rules.apply(record_, {});
  rules.apply(record_, base::SteadyTime() + 2s);
  const auto text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(text, '\n'), LogRules::kMostLines + 2);
  EXPECT_NE(text.find("7 lines were left out"), std::string::npos);
}

}  // namespace
}  // namespace penstock::session
