// Traces through a worker: what the upstream is told, and the spans that reach a collector.
#include <gmock/gmock.h>

#include <regex>

#include "tests/support/collector.h"
#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view kCaller = "00f067aa0ba902b7";

struct Span {
  std::string trace;
  std::string id;
  std::string parent;
  int kind = 0;
  std::string text;  // all of it
};

/// The spans of one message, in its order.
std::vector<Span> spans_of(const std::string& message) {
  static const std::regex kSpan(
      R"re(\{"traceId":"([0-9a-f]{32})","spanId":"([0-9a-f]{16})",(?:"parentSpanId":"([0-9a-f]{16})",)?)re"
      R"re((?:"traceState":"[^"]*",)?"flags":\d,"kind":(\d))re");
  std::vector<Span> out;
  for (std::sregex_iterator it(message.begin(), message.end(), kSpan), end; it != end; ++it) {
    const auto& match = *it;
    out.push_back({match[1], match[2], match[3], std::stoi(match[4]), ""});
    const auto from = static_cast<std::size_t>(match.position());
    const auto next = message.find("{\"traceId\"", from + 1);
    out.back().text = message.substr(from, next == std::string::npos ? next : next - from);
  }
  return out;
}

/// The value of a header in what `echo_heads` gives back; empty where it is not there.
std::string header_of(const std::string& answer, const std::string& name) {
  const auto body = answer.find("\r\n\r\n");
  const auto at = answer.find("\r\n" + name + ": ", body + 4);
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 4;
  return answer.substr(from, answer.find("\r\n", from) - from);
}

class TraceTest : public WorkerTest {
 protected:
  void trace(snapshot::TraceSettings settings = {}) {
    settings.collector_host = "127.0.0.1";
    settings.collector_port = collector_.port();
    settings.delay = base::Duration(10);
    global_.traces = settings;
    set(snapshot::PartKind::kGlobal, "", global_);
    traces_.configure(settings, {});
  }
  snapshot::RoutePolicy traced(bool trusts = true) {
    snapshot::RoutePolicy policy;
    policy.trace.is_enabled = true;
    policy.trace.trusts_incoming = trusts;
    return policy;
  }
  static std::string get(const std::string& more) {
    return "GET /p?q HTTP/1.1\r\nHost: a.example\r\n" + more + "\r\n";
  }
  static std::string caller(const std::string& flags = "01") {
    return "traceparent: 00-" + std::string(kTrace) + "-" + std::string(kCaller) + "-" + flags +
           "\r\n";
  }

  test::Collector collector_;
};

TEST_F(TraceTest, TheUpstreamContinuesTheCallersTrace) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", traced());
  trace();
  adopt();
  Client client(http_port_);
  const auto answer = client.ask(get(caller() + "tracestate: a=1, b=2\r\nTraceState: c=3\r\n"));
  const auto spans = spans_of(collector_.take().value_or(""));
  ASSERT_EQ(spans.size(), 2U) << answer;
  EXPECT_EQ(spans[0].kind, 2);
  EXPECT_EQ(spans[0].trace, kTrace);
  EXPECT_EQ(spans[0].parent, kCaller);
  EXPECT_EQ(spans[1].kind, 3);
  EXPECT_EQ(spans[1].trace, kTrace);
  EXPECT_EQ(spans[1].parent, spans[0].id);
  EXPECT_EQ(header_of(answer, "traceparent"),
            "00-" + std::string(kTrace) + "-" + spans[1].id + "-01");
  EXPECT_EQ(header_of(answer, "tracestate"), "a=1,b=2,c=3");
  EXPECT_THAT(answer, Not(HasSubstr("TraceState"))) << "what the client sent is replaced";
  EXPECT_THAT(answer, Not(HasSubstr(std::string(kCaller))));
  EXPECT_THAT(spans[0].text, HasSubstr(R"("traceState":"a=1,b=2,c=3")"));
  EXPECT_THAT(spans[0].text, HasSubstr(R"("name":"GET /")"));
  EXPECT_THAT(spans[0].text, HasSubstr(R"("penstock.ingress","value":{"stringValue":"web"})"));
  EXPECT_THAT(spans[0].text, HasSubstr(R"("url.path","value":{"stringValue":"/p"})"));
}

TEST_F(TraceTest, ACallerThatIsNotTrustedIsNotContinued) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", traced(false));
  trace();
  adopt();
  Client client(http_port_);
  const auto answer = client.ask(get(caller("00") + "tracestate: a=1\r\n"));
  const auto spans = spans_of(collector_.take().value_or(""));
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_NE(spans[0].trace, kTrace);
  EXPECT_EQ(spans[0].parent, "");
  EXPECT_EQ(header_of(answer, "tracestate"), "");
  EXPECT_EQ(header_of(answer, "traceparent"), "00-" + spans[0].trace + "-" + spans[1].id + "-01");
  EXPECT_THAT(answer, Not(HasSubstr(std::string(kTrace))));
}

TEST_F(TraceTest, ACallersContextThatIsNotValidBeginsANewTrace) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", traced());
  trace();
  adopt();
  Client client(http_port_);
  for (const auto& wrong :
       {caller() + caller(), "traceparent: 00-" + std::string(kTrace) + "-1-01\r\n",
        std::string("traceparent: x\r\n")}) {
    const auto answer = client.ask(get(wrong + "tracestate: a=1\r\n"));
    const auto parent = header_of(answer, "traceparent");
    EXPECT_EQ(parent.size(), 55U) << answer;
    EXPECT_THAT(answer, Not(HasSubstr(std::string(kTrace)))) << wrong;
    EXPECT_EQ(header_of(answer, "tracestate"), "") << wrong;
  }
  const auto answer = client.ask(get(caller() + "tracestate: a=1\r\ntracestate: =\r\n"));
  EXPECT_THAT(header_of(answer, "traceparent"), HasSubstr(std::string(kTrace)));
  EXPECT_EQ(header_of(answer, "tracestate"), "") << "all of it or nothing";
}

TEST_F(TraceTest, ARouteWithoutTracesLeavesTheClientsContextAlone) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  set_host("b.example", "up", traced());
  trace();
  adopt();
  Client client(http_port_);
  const auto answer = client.ask(get(caller() + "TraceState: whatever\r\n"));
  EXPECT_THAT(answer, HasSubstr(caller()));
  EXPECT_THAT(answer, HasSubstr("TraceState: whatever\r\n"));
  client.ask("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  const auto spans = spans_of(collector_.take().value_or(""));
  ASSERT_EQ(spans.size(), 2U) << "only those of the other host";
  EXPECT_THAT(spans[0].text, HasSubstr("b.example"));
}

TEST_F(TraceTest, WithoutACollectorNothingIsTraced) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", traced());
  adopt();
  Client client(http_port_);
  EXPECT_THAT(client.ask(get(caller())), HasSubstr(caller()));
  EXPECT_EQ(header_of(client.ask(get("")), "traceparent"), "");
}

TEST_F(TraceTest, WhatIsNotKeptIsStillPassedOn) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", traced());
  trace();
  adopt();
  Client client(http_port_);
  const auto left = header_of(client.ask(get(caller("00"))), "traceparent");
  EXPECT_THAT(left, testing::StartsWith("00-" + std::string(kTrace)));
  EXPECT_THAT(left, testing::EndsWith("-00"));
  const auto kept = header_of(client.ask(get("")), "traceparent");
  EXPECT_THAT(kept, testing::EndsWith("-01"));
  const auto spans = spans_of(collector_.take().value_or(""));
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_THAT(kept, HasSubstr(spans[0].trace));
}

TEST_F(TraceTest, EachAttemptHasASpan) {
  Backend good(echo_heads);
  const auto dead = free_port();
  set_upstream("up", {dead, good.port()});
  set_host("a.example", "up", traced());
  trace();
  adopt();
  Client client(http_port_);
  std::vector<Span> spans;
  for (int i = 0; i < 2 && spans.size() != 3; ++i) {
    const auto answer = client.ask(get(""));
    ASSERT_THAT(answer, HasSubstr(" 200 OK"));
    spans = spans_of(collector_.take().value_or(""));
    ASSERT_FALSE(spans.empty());
    EXPECT_THAT(header_of(answer, "traceparent"), HasSubstr(spans.back().id));
  }
  ASSERT_EQ(spans.size(), 3U) << "round robin begins with one of the two";
  EXPECT_THAT(spans[1].text, HasSubstr("connect_refused"));
  EXPECT_EQ(spans[1].parent, spans[0].id);
  EXPECT_EQ(spans[2].parent, spans[0].id);
  EXPECT_THAT(spans[2].text, HasSubstr("http.request.resend_count"));
  EXPECT_THAT(spans[0].text, Not(HasSubstr("error.type"))) << "in the end it was answered";
}

TEST_F(TraceTest, WhatWeAnswerOurselvesHasASpan) {
  set_upstream("up", {});
  auto policy = traced();
  policy.trace.operation = "checkout";
  set_host("a.example", "up", policy);
  trace();
  adopt();
  Client client(http_port_);
  EXPECT_THAT(client.ask(get("")), HasSubstr(" 503 "));
  const auto spans = spans_of(collector_.take().value_or(""));
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_THAT(spans[0].text, HasSubstr(R"("name":"checkout")"));
  EXPECT_THAT(spans[0].text, HasSubstr(R"("error.type","value":{"stringValue":"503"})"));
}

TEST_F(TraceTest, LogLinesAndNamesOfSpansHaveItsVariables) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", traced());
  set_host("b.example", "up");
  global_.access_log.path = log_path_;
  global_.access_log.http_format =
      "$host $opentelemetry_trace_id $opentelemetry_span_id $opentelemetry_context_traceparent";
  log_.set_path(log_path_);
  snapshot::TraceSettings settings;
  settings.operation = "HTTP $request_method $uri";
  trace(settings);
  adopt();
  Client client(http_port_);
  client.ask(get(""));
  const auto spans = spans_of(collector_.take().value_or(""));
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_THAT(spans[0].text, HasSubstr(R"("name":"HTTP GET /p")"));
  client.ask("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
  const auto log = wait_for_log("b.example");
  EXPECT_THAT(log, HasSubstr("a.example " + spans[0].trace + " " + spans[0].id + " 00-" +
                             spans[0].trace + "-" + spans[0].id + "-01\n"));
  EXPECT_THAT(log, HasSubstr("b.example - - -\n"));
  std::filesystem::remove(log_path_);
}

}  // namespace
}  // namespace penstock::worker
