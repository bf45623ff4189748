#include "controller/settings/global.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/settings/kinds.h"
#include "controller/settings/trace_kinds.h"

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
  EXPECT_THAT(problem("no-such-key", "1"), testing::HasSubstr("not served"));
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
