#include "controller/settings/global.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "controller/settings/kinds.h"
#include "controller/settings/trace_kinds.h"
#include "controller/settings/unserved.h"

namespace penstock::settings {
namespace {

GlobalSettings with(const std::map<std::string, std::string>& data) {
  GlobalSettings settings;
  EXPECT_THAT(apply_global(data, settings), testing::IsEmpty());
  return settings;
}

std::string problem(const std::string& key, const std::string& value) {
  GlobalSettings settings;
  const auto problems = apply_global({{key, value}}, settings);
  EXPECT_EQ(problems.size(), 1U);
  return problems.empty() ? "" : problems[0].message;
}

TEST(GlobalTable, IsSortedAndHasNoRepeats) {
  std::string_view before;
  for (const auto& row : global_table()) {
    EXPECT_LT(before, row.name);
    before = row.name;
  }
}

// What a row prints, it reads back: the reference page shows defaults in this form.
TEST(GlobalTable, ReadsEveryDefaultInTheFormItPrints) {
  for (const auto& row : global_table()) {
    GlobalSettings settings;
    const auto text = row.print(settings);
    ASSERT_TRUE(row.apply(text, settings)) << row.name << " = '" << text << "'";
    EXPECT_EQ(settings, GlobalSettings{}) << row.name << " = '" << text << "'";
  }
}

TEST(GlobalSettings, SyslogNeedsAHost) {
  const auto syslog =
      with({{"enable-syslog", "true"}, {"syslog-host", "2001:db8::5"}, {"syslog-port", "5514"}})
          .proxy.syslog;
  EXPECT_TRUE(syslog.is_enabled);
  EXPECT_EQ(syslog.host, "2001:db8::5");
  EXPECT_EQ(syslog.port, 5514);
  EXPECT_EQ(with({{"syslog-host", "logs.test"}}).proxy.syslog.port, 514);
  EXPECT_EQ(problem("syslog-host", "logs.test:514"),
            "syslog-host: expected an address or a host name, got 'logs.test:514'");
  EXPECT_EQ(problem("syslog-port", "0"), "syslog-port: expected a port from 1 to 65535, got '0'");
  GlobalSettings settings;
  const auto problems = apply_global({{"enable-syslog", "true"}}, settings);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].key, "enable-syslog");
  EXPECT_FALSE(settings.proxy.syslog.is_enabled);
}

TEST(GlobalSettings, TracesNeedACollector) {
  const auto settings = with({{"enable-opentelemetry", "true"},
                              {"opentelemetry-operation-name", "HTTP $request_method"},
                              {"opentelemetry-trust-incoming-span", "false"},
                              {"otlp-collector-host", "otel.monitoring"},
                              {"otlp-collector-port", "14318"},
                              {"otel-service-name", "edge"},
                              {"otel-sampler", "TraceIdRatioBased"},
                              {"otel-sampler-ratio", "0.25"},
                              {"otel-sampler-parent-based", "false"},
                              {"otel-max-queuesize", "100"},
                              {"otel-schedule-delay-millis", "250"},
                              {"otel-max-export-batch-size", "10"}});
  EXPECT_TRUE(settings.ingress.route.trace.is_enabled);
  EXPECT_FALSE(settings.ingress.route.trace.trusts_incoming);
  EXPECT_TRUE(settings.ingress.has_trace_collector);
  snapshot::TraceSettings expected;
  expected.collector_host = "otel.monitoring";
  expected.collector_port = 14318;
  expected.service_name = "edge";
  expected.operation = "HTTP $request_method";
  expected.sampler = snapshot::Sampler::kTraceIdRatio;
  expected.ratio_per_million = 250'000;
  expected.follows_parent = false;
  expected.max_queue = 100;
  expected.delay = base::Duration(250);
  expected.max_batch = 10;
  EXPECT_EQ(settings.proxy.traces, expected);
  GlobalSettings none;
  const auto problems = apply_global({{"enable-opentelemetry", "true"}}, none);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].key, "enable-opentelemetry");
  EXPECT_FALSE(none.ingress.route.trace.is_enabled);
  EXPECT_FALSE(none.ingress.has_trace_collector);
}

TEST(GlobalSettings, ThePortOfGrpcIsPointedOut) {
  GlobalSettings settings;
  const auto problems =
      apply_global({{"otlp-collector-host", "otel"}, {"otlp-collector-port", "4317"}}, settings);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].key, "otlp-collector-port");
  EXPECT_EQ(settings.proxy.traces.collector_port, 4317) << "it is used all the same";
}

TEST(GlobalSettings, BoundsOfTraces) {
  for (const auto* wrong : {"1.01", "-0.1", "nan", "inf", "1e-1", "0.1x", "", "."}) {
    EXPECT_FALSE(Ratio::parse(wrong)) << wrong;
  }
  EXPECT_EQ(Ratio::parse("1").value_or(0), 1'000'000U);
  EXPECT_EQ(Ratio::parse("0").value_or(1), 0U);
  EXPECT_EQ(Ratio::parse("0.000001").value_or(0), 1U);
  EXPECT_EQ(Ratio::print(10'000), "0.01");
  EXPECT_EQ(problem("otel-max-queuesize", "0"),
            "otel-max-queuesize: expected a whole number from 1 to 65536, got '0'");
  EXPECT_EQ(
      problem("otel-sampler", "Sometimes"),
      "otel-sampler: expected one of AlwaysOn, AlwaysOff, TraceIdRatioBased, got 'Sometimes'");
}

TEST(GlobalSettings, TakesTheKeysOfTheConfigMap) {
  const auto settings = with({{"proxy-body-size", "8m"},
                              {"keep-alive", "10"},
                              {"proxy-next-upstream", "error http_502"},
                              {"proxy-stream-timeout", "60s"},
                              {"upstream-keepalive-connections", "32"},
                              {"worker-processes", "4"},
                              {"use-forwarded-headers", "true"},
                              {"large-client-header-buffers", "8 16k"},
                              {"load-balance", "ewma"}});
  EXPECT_EQ(settings.ingress.route.body.max_size.bytes, 8U << 20);
  EXPECT_EQ(settings.proxy.client.keep_alive, base::Duration(10'000));
  EXPECT_EQ(settings.ingress.route.next_upstream.on_status, (std::vector<std::uint16_t>{502}));
  EXPECT_FALSE(settings.ingress.route.next_upstream.on_timeout);
  EXPECT_EQ(settings.stream.idle_timeout, base::Duration(60'000));
  EXPECT_EQ(settings.proxy.keepalive.connections, 32U);
  EXPECT_EQ(settings.proxy.workers, 4U);
  EXPECT_TRUE(settings.proxy.forwarded.is_trusted);
  EXPECT_EQ(settings.proxy.client.large_header_buffers, 8U);
  EXPECT_EQ(settings.ingress.balancing.algorithm, snapshot::Algorithm::kEwma);
}

TEST(GlobalSettings, SaysWhatWasExpectedAndFound) {
  EXPECT_EQ(problem("keep-alive", "soon"),
            "keep-alive: expected whole seconds from 0 to 31536000, got 'soon'");
  EXPECT_EQ(problem("ssl-protocols", "SSLv3"),
            "ssl-protocols: expected TLSv1.2, TLSv1.3 or both, separated by a space, got 'SSLv3'");
  EXPECT_EQ(problem("no-such-key", "1"), "no-such-key: this key is unknown and has no effect");
}

TEST(UnservedKeys, AreSortedHaveReasonsAndAreNotServed) {
  std::string_view before;
  for (const auto& key : unserved_keys()) {
    EXPECT_LT(before, key.name);
    before = key.name;
    EXPECT_GT(key.why.size(), 10U) << key.name;
    EXPECT_EQ(std::ranges::count(global_table(), key.name, &Setting<GlobalSettings>::name), 0)
        << key.name;
  }
}

// 194 keys, each of which is served or has its reason.
TEST(UnservedKeys, AreAllThatIngressNginxHasAndThatAreNotServed) {
  EXPECT_EQ(unserved_keys().size(), 120U);
  EXPECT_EQ(unserved_keys().size() + global_table().size(), 194U);
}

TEST(UnservedKeys, AreReportedWithTheReasonUnlessTheySayWhatHoldsAnyway) {
  EXPECT_EQ(problem("use-gzip", "true"),
            "use-gzip: this key has no effect: answers are passed on as the endpoints send them, "
            "compressed or not");
  EXPECT_EQ(problem("http-snippet", "lua_x;"),
            "http-snippet: this key has no effect: there is no configuration text to put a snippet "
            "into");
  with({{"use-gzip", "false"}, {"use-http2", " false "}, {"http-snippet", ""}});
}

TEST(IngressRules, AreThoseOfTheOriginalWithoutKeys) {
  const auto rules = with({}).rules;
  EXPECT_EQ(rules.highest_risk, Risk::kHigh);
  EXPECT_TRUE(rules.is_strict_on_paths);
  EXPECT_FALSE(rules.allows_snippets);
  EXPECT_THAT(rules.blocked_words, testing::IsEmpty());
}

TEST(IngressRules, AreRead) {
  const auto rules = with({{"annotations-risk-level", "Medium"},
                           {"annotation-value-word-blocklist", "load_module, {,,_by_lua"},
                           {"strict-validate-path-type", "false"}})
                         .rules;
  EXPECT_EQ(rules.highest_risk, Risk::kMedium);
  EXPECT_THAT(rules.blocked_words, testing::ElementsAre("load_module", "{", "_by_lua"));
  EXPECT_FALSE(rules.is_strict_on_paths);
}

TEST(IngressRules, ARiskThatCannotBeReadCountsAsLow) {
  for (const auto* text : {"critical", "Highest", "", "4"}) {
    GlobalSettings settings;
    const auto problems = apply_global({{"annotations-risk-level", text}}, settings);
    EXPECT_EQ(settings.rules.highest_risk, Risk::kLow) << text;
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].message,
              fmt::format("annotations-risk-level: expected Low, Medium, High or Critical, got "
                          "'{}'; Low is taken",
                          text));
  }
}

TEST(IngressRules, AListOfWordsBeyondItsBoundsClosesRoutes) {
  std::string many;
  for (int i = 0; i < 128; ++i) many += fmt::format("w{},", i);
  const auto longest = std::string(256, 'x');
  EXPECT_EQ(with({{"annotation-value-word-blocklist", many}}).rules.blocked_words.size(), 128U);
  EXPECT_EQ(with({{"annotation-value-word-blocklist", longest}}).rules.blocked_words.size(), 1U);
  for (const auto& text : {many + "one", longest + "x"}) {
    GlobalSettings settings;
    const auto problems = apply_global({{"annotation-value-word-blocklist", text}}, settings);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(settings.ingress.denied_why, problems[0].message);
    EXPECT_THAT(problems[0].message,
                testing::StartsWith("annotation-value-word-blocklist: expected a comma-separated "
                                    "list of at most 128 words of at most 256 bytes, got '"));
  }
}

TEST(IngressRules, SnippetsThatAreAllowedAreSaidToHaveNoEffect) {
  GlobalSettings settings;
  const auto problems = apply_global({{"allow-snippet-annotations", "true"}}, settings);
  EXPECT_TRUE(settings.rules.allows_snippets);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(
      problems[0].message,
      "allow-snippet-annotations: snippets have no effect, for there is no configuration "
      "text to put them into; where annotations-risk-level is Critical, Ingresses with them are "
      "taken with a warning");
  with({{"allow-snippet-annotations", "false"}});
  // Who says both wants what there is.
  const auto both = with({{"allow-snippet-annotations", "true"}, {"annotations-risk-level", "Critical"}});
  EXPECT_TRUE(both.rules.allows_snippets);
  EXPECT_EQ(both.rules.highest_risk, Risk::kCritical);
}

TEST(GlobalSettings, LeavesADefaultWhereAValueIsBroken) {
  GlobalSettings settings;
  apply_global({{"keep-alive", "-1"}, {"proxy-body-size", "1x"}}, settings);
  EXPECT_EQ(settings, GlobalSettings{});
}

TEST(GlobalSettings, FailsClosedWhereAccessListsAreBroken) {
  for (const auto* key : {"whitelist-source-range", "denylist-source-range"}) {
    GlobalSettings settings;
    apply_global({{key, "10.0.0.0/33"}}, settings);
    EXPECT_NE(settings.ingress.denied_why, "") << key;
  }
}

TEST(GlobalSettings, BelievesNobodyWhereTheTrustedNetworksAreBroken) {
  GlobalSettings settings;
  apply_global({{"proxy-real-ip-cidr", "10.0.0.0/8,x"}, {"use-forwarded-headers", "true"}},
               settings);
  EXPECT_FALSE(settings.proxy.forwarded.is_trusted);
}

TEST(BadValue, ShowsLongAndControlBytesSafely) {
  const auto text = bad_value("k", "x", "a\nb" + std::string(200, 'z'));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_THAT(text, testing::EndsWith("...'"));
  EXPECT_LT(text.size(), 140U);
}

}  // namespace
}  // namespace penstock::settings
