#include "controller/annotations/annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace penstock::annotations {
namespace {

constexpr std::string_view kPrefix = "nginx.ingress.kubernetes.io";

Read read_one(const std::string& name, const std::string& value) {
  return read({{std::string(kPrefix) + "/" + name, value}}, kPrefix, {});
}

TEST(Annotations, AreListedOnce) {
  std::set<std::string_view> names;
  for (const auto& row : all()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.doc.empty()) << row.name;
  }
  EXPECT_TRUE(names.contains("proxy-body-size"));
}

TEST(Annotations, OverrideWhatTheConfigMapSays) {
  settings::IngressPolicy defaults;
  defaults.route.body.max_size = base::ByteSize{5};
  defaults.route.timeouts.read = base::Duration(1000);
  const auto out = read({{"nginx.ingress.kubernetes.io/proxy-body-size", "2m"}}, kPrefix, defaults);
  EXPECT_EQ(out.policy.route.body.max_size.bytes, 2U << 20);
  EXPECT_EQ(out.policy.route.timeouts.read, base::Duration(1000));
  EXPECT_THAT(out.problems, testing::IsEmpty());
}

TEST(Annotations, KeepTheDefaultAndSayWhyWhereAValueIsBroken) {
  const auto out = read_one("proxy-read-timeout", "soon");
  EXPECT_EQ(out.policy, settings::IngressPolicy{});
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_EQ(out.problems[0].message,
            "nginx.ingress.kubernetes.io/proxy-read-timeout: expected whole seconds from 1 to "
            "31536000, got 'soon'");
}

TEST(Annotations, OfTracesCountBesideTheFirstOneOnly) {
  const std::string prefix = std::string(kPrefix) + "/";
  const auto enable = prefix + "enable-opentelemetry";
  const auto trust = prefix + "opentelemetry-trust-incoming-span";
  const auto operation = prefix + "opentelemetry-operation-name";
  settings::IngressPolicy defaults;
  defaults.has_trace_collector = true;
  auto out =
      read({{enable, "true"}, {trust, "false"}, {operation, "Check_out-1"}}, kPrefix, defaults);
  EXPECT_THAT(out.problems, testing::IsEmpty());
  EXPECT_EQ(out.policy.route.trace, (snapshot::Trace{true, false, "Check_out-1"}));

  defaults.route.trace.is_enabled = true;  // by the ConfigMap
  out = read({{trust, "false"}, {operation, "x"}}, kPrefix, defaults);
  EXPECT_EQ(out.problems.size(), 2U);
  EXPECT_EQ(out.policy.route.trace, (snapshot::Trace{true, true, ""}));
  EXPECT_FALSE(read({{enable, "false"}}, kPrefix, defaults).policy.route.trace.is_enabled);

  out = read({{enable, "true"}, {operation, "a b"}}, kPrefix, defaults);
  EXPECT_EQ(out.problems.size(), 1U);
  EXPECT_EQ(out.policy.route.trace.operation, "");
}

TEST(Annotations, TracesNeedACollector) {
  const auto out = read_one("enable-opentelemetry", "true");
  EXPECT_FALSE(out.policy.route.trace.is_enabled);
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_EQ(out.problems[0].message,
            "nginx.ingress.kubernetes.io/enable-opentelemetry: expected true or false; true needs "
            "otlp-collector-host in the ConfigMap, got 'true'");
}

TEST(Annotations, CloseTheIngressWhereItsAllowlistIsBroken) {
  for (const auto* value : {"10.0.0.0/33", "", "0.0.0.0/0;"}) {
    EXPECT_NE(read_one("whitelist-source-range", value).policy.denied_why, "") << value;
  }
}

TEST(Annotations, ReadAnAliasOnlyWhereTheNameIsAbsent) {
  const auto out = read({{"nginx.ingress.kubernetes.io/allowlist-source-range", "10.0.0.0/8"},
                         {"nginx.ingress.kubernetes.io/whitelist-source-range", "192.0.2.1"}},
                        kPrefix, {});
  ASSERT_EQ(out.policy.route.ip_access.allowed.size(), 1U);
  EXPECT_EQ(out.policy.route.ip_access.allowed[0].to_string(), "10.0.0.0/8");
  EXPECT_EQ(read_one("whitelist-source-range", "192.0.2.1").policy.route.ip_access.allowed.size(),
            1U);
}

TEST(Annotations, ReportThoseThatAreNotServed) {
  const auto out = read_one("server-snippet", "return 200;");
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_THAT(out.problems[0].message, testing::HasSubstr("server-snippet"));
  EXPECT_THAT(read({{"other.example/key", "x"}}, kPrefix, {}).problems, testing::IsEmpty());
  EXPECT_THAT(read({{"nginx.ingress.kubernetes.iox/key", "x"}}, kPrefix, {}).problems,
              testing::IsEmpty());
}

TEST(Annotations, LeaveACanaryOut) {
  EXPECT_TRUE(read_one("canary", "true").is_left_out);
  EXPECT_FALSE(read_one("canary", "false").is_left_out);
}

TEST(Annotations, ReadEveryFeature) {
  EXPECT_EQ(read_one("backend-protocol", "HTTPS").policy.route.backend.protocol,
            snapshot::BackendProtocol::kHttps);
  EXPECT_EQ(read_one("upstream-vhost", "a.example").policy.route.backend.virtual_host, "a.example");
  EXPECT_EQ(read_one("load-balance", "ip_hash").policy.balancing.algorithm,
            snapshot::Algorithm::kSourceIpHash);
  EXPECT_TRUE(read_one("force-ssl-redirect", "true").policy.redirects_always);
  EXPECT_FALSE(read_one("ssl-redirect", "false").policy.redirects_where_tls);
  EXPECT_EQ(read_one("proxy-next-upstream-tries", "7").policy.route.next_upstream.tries, 7U);
  EXPECT_EQ(read_one("proxy-connect-timeout", "7").policy.route.timeouts.connect,
            base::Duration(7000));
  EXPECT_FALSE(read_one("proxy-request-buffering", "off").policy.route.body.is_buffered);
  EXPECT_EQ(read_one("upstream-vhost", "a b\r\nX: y").problems.size(), 1U);
}

}  // namespace
}  // namespace penstock::annotations
