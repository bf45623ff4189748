#include "proxy/telemetry/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "proxy/telemetry/json_text.h"
#include "proxy/telemetry/spans.h"

namespace penstock::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr TraceId kId{0x4bf92f3577b34da6ULL, 0xa3ce929d0e0e4736ULL};

std::string printed(const TraceParent& parent) {
  std::string out;
  append_traceparent(out, parent);
  return out;
}

TEST(Traceparent, IsReadAndPrinted) {
  const auto parent = parse_traceparent(kParent);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace, kId);
  EXPECT_EQ(parent->span, 0x00f067aa0ba902b7ULL);
  EXPECT_TRUE(parent->is_sampled);
  EXPECT_EQ(printed(*parent), kParent);
  EXPECT_EQ(printed({kId, 1, false}), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-00");
  EXPECT_EQ(printed(*parent).size(), kTraceparentSize);
}

TEST(Traceparent, OnlyTheLowestFlagIsKnown) {
  const std::string base(kParent.substr(0, 53));
  EXPECT_FALSE(parse_traceparent(base + "00")->is_sampled);
  EXPECT_FALSE(parse_traceparent(base + "fe")->is_sampled);
  EXPECT_TRUE(parse_traceparent(base + "ff")->is_sampled);
}

TEST(Traceparent, ALaterVersionIsReadAsFarAsThisOneGoes) {
  const std::string rest(kParent.substr(2));
  EXPECT_TRUE(parse_traceparent("cc" + rest));
  EXPECT_TRUE(parse_traceparent("cc" + rest + "-what-the-future-brings"));
  EXPECT_FALSE(parse_traceparent("cc" + rest + ".what"));
  EXPECT_FALSE(parse_traceparent("cc" + rest + "1"));
}

TEST(Traceparent, WhatIsNotValidIsNone) {
  const std::string good(kParent);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_traceparent(good.substr(0, size))) << size;
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char wrong : {'A', 'g', ' ', '.', '\0', '\xff'}) {
      auto text = good;
      text[i] = wrong;
      EXPECT_FALSE(parse_traceparent(text)) << text;
    }
  }
  EXPECT_FALSE(parse_traceparent(good + "-00")) << "version 0 has an end";
  EXPECT_FALSE(parse_traceparent("ff" + good.substr(2)));
  EXPECT_FALSE(parse_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  EXPECT_FALSE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
}

bool takes(const std::string& field) {
  std::string out;
  return append_tracestate(out, field);
}

TEST(Tracestate, FieldsOfOneNameAreOneList) {
  std::string out;
  EXPECT_TRUE(append_tracestate(out, "rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE"));
  EXPECT_TRUE(append_tracestate(out, ""));
  EXPECT_TRUE(append_tracestate(out, ",a@b=1,"));
  EXPECT_EQ(out, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,a@b=1");
}

TEST(Tracestate, WhatIsNotValidIsNotTaken) {
  for (const auto* good : {"a=1", "a-b_c*d/e=!~", "1t@s=x", "a= b", "tenant@system=v"}) {
    EXPECT_TRUE(takes(good)) << good;
  }
  for (const auto* bad : {"a", "=1", "a=", "A=1", "1a=1", "a=b=c", "a=b\x01", "a=\xc3\xa4", "@s=1",
                          "t@=1", "t@1s=1", "t@s@u=1", "a b=1", "a=1\r\nX: 1"}) {
    EXPECT_FALSE(takes(bad)) << bad;
  }
  EXPECT_TRUE(takes(std::string(256, 'a') + "=1"));
  EXPECT_FALSE(takes(std::string(257, 'a') + "=1"));
  EXPECT_TRUE(takes("a=" + std::string(256, 'v')));
  EXPECT_FALSE(takes("a=" + std::string(257, 'v')));
}

TEST(Tracestate, IsBounded) {
  std::string many = "a0=1";
  for (int i = 1; i < 32; ++i) many += ",a" + std::to_string(i) + "=1";
  EXPECT_TRUE(takes(many));
  EXPECT_FALSE(takes(many + ",z=1"));
  std::string out;
  EXPECT_TRUE(append_tracestate(out, "a=" + std::string(250, 'v')));
  EXPECT_TRUE(append_tracestate(out, "b=" + std::string(250, 'v')));
  EXPECT_FALSE(append_tracestate(out, "c=" + std::string(250, 'v')));
  EXPECT_FALSE(takes(std::string(1 << 20, ',')));
}

TEST(TraceIds, AreNeverTheSame) {
  TraceIds one;
  TraceIds other;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(one.span()).second);
    EXPECT_TRUE(seen.insert(other.span()).second);
  }
  EXPECT_FALSE(seen.contains(0));
}

TEST(Sampler, AParentDecidesFirst) {
  snapshot::TraceSettings settings;
  const TraceParent kept{kId, 1, true};
  const TraceParent left{kId, 1, false};
  settings.sampler = snapshot::Sampler::kAlwaysOff;
  EXPECT_TRUE(is_sampled(settings, kept, kId));
  EXPECT_FALSE(is_sampled(settings, std::nullopt, kId));
  settings.sampler = snapshot::Sampler::kAlwaysOn;
  EXPECT_FALSE(is_sampled(settings, left, kId));
  EXPECT_TRUE(is_sampled(settings, std::nullopt, kId));
  settings.follows_parent = false;
  EXPECT_TRUE(is_sampled(settings, left, kId));
}

TEST(Sampler, ARatioGoesByTheId) {
  snapshot::TraceSettings settings;
  settings.sampler = snapshot::Sampler::kTraceIdRatio;
  const auto kept = [&](std::uint32_t per_million, TraceId id) {
    settings.ratio_per_million = per_million;
    return is_sampled(settings, std::nullopt, id);
  };
  EXPECT_FALSE(kept(0, {1, 0}));
  EXPECT_TRUE(kept(1'000'000, {1, ~std::uint64_t{0}}));
  EXPECT_TRUE(kept(500'000, {0, 0x7ffffff000000000ULL}));
  EXPECT_FALSE(kept(500'000, {0, 0x8000000000000000ULL}));
  TraceIds ids;
  int count = 0;
  for (int i = 0; i < 20'000; ++i) count += kept(250'000, ids.trace()) ? 1 : 0;
  EXPECT_NEAR(count, 5'000, 400);  // six deviations
}

TEST(RequestTrace, EachAttemptHasASpanOfItsOwn) {
  TraceIds ids;
  RequestTrace trace;
  begin(trace, {}, parse_traceparent(kParent), ids);
  EXPECT_EQ(trace.server.trace, kId);
  EXPECT_EQ(trace.parent, 0x00f067aa0ba902b7ULL);
  EXPECT_NE(trace.server.span, trace.parent);
  trace.begin_try(0, 7, {});
  EXPECT_EQ(trace.upstream().span, 7U);
  EXPECT_EQ(trace.upstream().trace, kId);
  trace.begin_try(0, 8, {});  // the kept connection had died: it was no attempt
  EXPECT_EQ(trace.try_count, 1U);
  for (std::size_t i = 1; i < 50; ++i) trace.begin_try(i, 100 + i, {});
  EXPECT_EQ(trace.try_count, RequestTrace::kMostTries);
  EXPECT_EQ(trace.upstream().span, 149U);
  begin(trace, {}, std::nullopt, ids);
  EXPECT_EQ(trace.parent, 0U);
  EXPECT_EQ(trace.try_count, 0U);
  EXPECT_NE(trace.server.trace, kId);
}

std::string json(std::string_view text, std::size_t most = 1000) {
  std::string out;
  append_json_text(out, text, most);
  return out;
}

TEST(JsonText, IsValidWhateverTheBytesAre) {
  EXPECT_EQ(json("a\"b\\c"), R"("a\u0022b\u005cc")");
  EXPECT_EQ(json("\n\x7f"), R"("\u000a\u007f")");
  EXPECT_EQ(json(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
            "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(json("\xff"), '"' + bad + '"');
  EXPECT_EQ(json("\xc0\xaf"), '"' + bad + bad + '"') << "overlong";
  EXPECT_EQ(json("\xed\xa0\x80"), '"' + bad + bad + bad + '"') << "a surrogate";
  EXPECT_EQ(json("\xf4\x90\x80\x80"), '"' + bad + bad + bad + bad + '"') << "beyond U+10FFFF";
  EXPECT_EQ(json("\xe2\x82"), '"' + bad + bad + '"') << "cut off";
  EXPECT_EQ(json("\xc3(x"), '"' + bad + "(x\"");
}

TEST(JsonText, IsCutBetweenCharacters) {
  EXPECT_EQ(json("abcdef", 3), "\"abc\"");
  EXPECT_EQ(json("ab\xe2\x82\xac", 4), "\"ab\"");
  EXPECT_EQ(json("ab\xe2\x82\xac", 5), "\"ab\xe2\x82\xac\"");
  EXPECT_EQ(json(std::string(8, '\x80'), 6).size(), 2U + 3U * 3U);
}

std::string_view user_agent(const void* text, std::string_view name) {
  return name == "user-agent" ? *static_cast<const std::string_view*>(text) : std::string_view();
}

class Spans : public testing::Test {
 protected:
  Spans() {
    begin(trace_, {}, std::nullopt, ids_);
    record_.trace = &trace_;
    record_.method = "GET";
    record_.target = "/a%20b?secret=1";
    record_.path = "/a b";
    record_.route_path = "/a";
    record_.host = "shop.example";
    record_.ingress = "web";
    record_.name_space = "shop";
    record_.status = 200;
    record_.client.server_port = 443;
    record_.client.address_text = "192.0.2.7";
    record_.header = {&agent_, user_agent};
  }
  std::vector<std::string> spans() {
    record_.tries = tries_;
    return make_spans(record_, span_name(record_), times_);
  }
  UpstreamTry& add_try() {
    trace_.begin_try(tries_.size(), 16 + tries_.size(), times_.begun);
    auto& attempt = tries_.emplace_back();
    attempt.address = {asio::ip::make_address("10.0.0.1"), 8080};
    return attempt;
  }

  TraceIds ids_;
  RequestTrace trace_;
  std::string_view agent_ = "curl/8 \"\xff\"";
  HttpRecord record_;
  std::vector<UpstreamTry> tries_;
  SpanTimes times_{base::SteadyTime(std::chrono::seconds(5)),
                   base::SteadyTime(std::chrono::seconds(7)),
                   base::WallTime(std::chrono::seconds(1'700'000'000))};
};

TEST_F(Spans, TheRequestHasOne) {
  const auto all = spans();
  ASSERT_EQ(all.size(), 1U);
  const auto& span = all[0];
  EXPECT_THAT(span, HasSubstr(R"("name":"GET /a")"));
  EXPECT_THAT(span, HasSubstr(R"("kind":2)"));
  EXPECT_THAT(span, HasSubstr(R"("startTimeUnixNano":"1699999998000000000")"));
  EXPECT_THAT(span, HasSubstr(R"("endTimeUnixNano":"1700000000000000000")"));
  EXPECT_THAT(span, HasSubstr(R"({"key":"url.path","value":{"stringValue":"/a%20b"}})"));
  EXPECT_THAT(span, HasSubstr(R"({"key":"http.response.status_code","value":{"intValue":"200"}})"));
  EXPECT_THAT(span, HasSubstr("\"curl/8 \\u0022\xef\xbf\xbd\\u0022\""));
  EXPECT_THAT(span, Not(HasSubstr("secret")));
  EXPECT_THAT(span, Not(HasSubstr("parentSpanId")));
  EXPECT_THAT(span, Not(HasSubstr("error.type")));
  EXPECT_THAT(span, HasSubstr(R"("status":{})"));
}

TEST_F(Spans, AMethodThatNobodyKnowsIsNoName) {
  record_.method = "BREW";
  const auto span = spans()[0];
  EXPECT_THAT(span, HasSubstr(R"("name":"HTTP /a")"));
  EXPECT_THAT(span, HasSubstr(R"("stringValue":"_OTHER")"));
  EXPECT_THAT(span, HasSubstr(R"("http.request.method_original","value":{"stringValue":"BREW"})"));
}

TEST_F(Spans, EachAttemptHasOneAndSaysWhyItFailed) {
  auto& first = add_try();
  first.failure = base::EndReason::kConnectRefused;
  first.status = 502;
  auto& second = add_try();
  second.header = base::Duration(3);
  second.status = 404;
  const auto all = spans();
  ASSERT_EQ(all.size(), 3U);
  std::string parent = R"("parentSpanId":")";
  append_hex(parent, trace_.server.span);
  EXPECT_THAT(all[1], HasSubstr(parent));
  EXPECT_THAT(all[1], HasSubstr(R"("kind":3)"));
  EXPECT_THAT(all[1], HasSubstr(R"("spanId":"0000000000000010")"));
  EXPECT_THAT(all[1], HasSubstr(R"("error.type","value":{"stringValue":"connect_refused"})"));
  EXPECT_THAT(all[1], Not(HasSubstr("status_code"))) << "there was no answer";
  EXPECT_THAT(all[1], HasSubstr(R"("status":{"code":2})"));
  EXPECT_THAT(all[2], HasSubstr(R"("http.response.status_code","value":{"intValue":"404"})"));
  EXPECT_THAT(all[2], HasSubstr(R"("http.request.resend_count","value":{"intValue":"1"})"));
  EXPECT_THAT(all[2],
              HasSubstr(R"("url.full","value":{"stringValue":"http://10.0.0.1:8080/a%20b"})"));
}

TEST_F(Spans, AFailureOfOursIsAnErrorAndOneOfTheClientIsNot) {
  record_.status = 502;
  add_try().failure = base::EndReason::kUpstreamReset;
  EXPECT_THAT(spans()[0], HasSubstr(R"("error.type","value":{"stringValue":"upstream_reset"})"));
  EXPECT_THAT(spans()[0], HasSubstr(R"("status":{"code":2})"));
  record_.status = 404;
  EXPECT_THAT(spans()[0], HasSubstr(R"("status":{})"));
  record_.status = 499;
  EXPECT_THAT(spans()[0], HasSubstr(R"("error.type","value":{"stringValue":"client_closed"})"));
  EXPECT_THAT(spans()[0], Not(HasSubstr("status_code"))) << "no client has seen it";
}

TEST_F(Spans, AreBoundedWhateverTheClientSends) {
  const std::string longest(1 << 20, '\x01');
  record_.target = record_.path = record_.host = record_.method = longest;
  agent_ = longest;
  record_.request_id = longest;
  for (int i = 0; i < 100; ++i) add_try().failure = base::EndReason::kConnectRefused;
  const auto all = spans();
  EXPECT_EQ(all.size(), 1 + RequestTrace::kMostTries);
  for (const auto& span : all) EXPECT_LT(span.size(), 64U << 10);
}

}  // namespace
}  // namespace penstock::telemetry
