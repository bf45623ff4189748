#include "controller/annotations/annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "controller/annotations/known.h"

namespace penstock::annotations {
namespace {

constexpr std::string_view kPrefix = "nginx.ingress.kubernetes.io";

Read read_one(const std::string& name, const std::string& value) {
  return read({{std::string(kPrefix) + "/" + name, value}}, kPrefix, {}, {});
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
  const auto out =
      read({{"nginx.ingress.kubernetes.io/proxy-body-size", "2m"}}, kPrefix, defaults, {});
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
      read({{enable, "true"}, {trust, "false"}, {operation, "Check_out-1"}}, kPrefix, defaults, {});
  EXPECT_THAT(out.problems, testing::IsEmpty());
  EXPECT_EQ(out.policy.route.trace, (snapshot::Trace{true, false, "Check_out-1"}));

  defaults.route.trace.is_enabled = true;  // by the ConfigMap
  out = read({{trust, "false"}, {operation, "x"}}, kPrefix, defaults, {});
  EXPECT_EQ(out.problems.size(), 2U);
  EXPECT_EQ(out.policy.route.trace, (snapshot::Trace{true, true, ""}));
  EXPECT_FALSE(read({{enable, "false"}}, kPrefix, defaults, {}).policy.route.trace.is_enabled);

  out = read({{enable, "true"}, {operation, "a b"}}, kPrefix, defaults, {});
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
                        kPrefix, {}, {});
  ASSERT_EQ(out.policy.route.ip_access.allowed.size(), 1U);
  EXPECT_EQ(out.policy.route.ip_access.allowed[0].to_string(), "10.0.0.0/8");
  EXPECT_EQ(read_one("whitelist-source-range", "192.0.2.1").policy.route.ip_access.allowed.size(),
            1U);
}

TEST(Annotations, ReportThoseThatAreNotServed) {
  const auto message = [](const std::string& name) {
    const auto out = read_one(name, "x");
    EXPECT_EQ(out.problems.size(), 1U) << name;
    EXPECT_FALSE(out.is_refused) << name;
    return out.problems.empty() ? "" : out.problems[0].message;
  };
  EXPECT_EQ(message("rewrite-target"),
            "nginx.ingress.kubernetes.io/rewrite-target: this annotation is not served by this "
            "version");
  EXPECT_EQ(message("proxy-bodysize"),
            "nginx.ingress.kubernetes.io/proxy-bodysize: this annotation is unknown and has no "
            "effect");
  EXPECT_EQ(message("enable-influxdb"),
            "nginx.ingress.kubernetes.io/enable-influxdb: this annotation is deprecated, and "
            "ingress-nginx ignores it, too");
  EXPECT_THAT(read({{"other.example/key", "x"}}, kPrefix, {}, {}).problems, testing::IsEmpty());
  EXPECT_THAT(read({{"nginx.ingress.kubernetes.iox/key", "x"}}, kPrefix, {}, {}).problems,
              testing::IsEmpty());
}

TEST(KnownAnnotations, AreAllOfIngressNginxSorted) {
  EXPECT_EQ(known().size(), 138U);
  std::string_view before;
  for (const auto& each : known()) {
    EXPECT_LT(before, each.name);
    EXPECT_FALSE(each.group.empty()) << each.name;
    before = each.name;
  }
  EXPECT_EQ(find_known("proxy-body"), nullptr);
  EXPECT_EQ(find_known("zzz"), nullptr);
}

TEST(KnownAnnotations, HaveTheRiskOfEachThatIsServed) {
  for (const auto& row : all()) {
    const auto* found = find_known(row.name);
    ASSERT_NE(found, nullptr) << row.name;
    if (row.alias.empty()) continue;
    const auto* alias = find_known(row.alias);
    ASSERT_NE(alias, nullptr) << row.alias;
    EXPECT_EQ(alias->risk, found->risk) << row.alias;
  }
}

settings::IngressRules up_to(settings::Risk highest) {
  settings::IngressRules rules;
  rules.highest_risk = highest;
  return rules;
}

TEST(RiskLevel, RefusesTheIngressOfAnAnnotationAboveIt) {
  const std::string key = "nginx.ingress.kubernetes.io/proxy-body-size";  // Medium
  const auto read_at = [&](settings::Risk level) {
    return read({{key, "5m"}, {"nginx.ingress.kubernetes.io/ssl-passthrough", "true"}}, kPrefix, {},
                up_to(level));
  };
  const auto refused = read_at(settings::Risk::kLow);
  EXPECT_TRUE(refused.is_refused);
  ASSERT_EQ(refused.problems.size(), 1U);
  EXPECT_EQ(refused.problems[0].annotation, key);
  EXPECT_EQ(refused.problems[0].rule, Rule::kRiskLevel);
  EXPECT_EQ(refused.problems[0].message,
            key +
                ": expected an annotation of at most the risk Low (annotations-risk-level), got "
                "one of the risk Medium; the Ingress is refused, its routes answer 503");
  EXPECT_EQ(refused.problems[0].verdict,
            "annotation group Proxy contains risky annotation based on ingress configuration: " +
                key + " has the risk Medium, annotations-risk-level is Low");
  // Nothing of it is served, also not what reaches further than its routes.
  auto expected = settings::IngressPolicy{};
  expected.denied_why = refused.problems[0].message;
  EXPECT_EQ(refused.policy, expected);

  const auto taken = read_at(settings::Risk::kMedium);
  EXPECT_FALSE(taken.is_refused);
  EXPECT_TRUE(taken.policy.passes_tls_through);
  EXPECT_THAT(taken.problems, testing::IsEmpty());
}

TEST(RiskLevel, HoldsForWhatIsNotServedAndForAliases) {
  const auto is_refused = [](const std::string& name, settings::Risk level) {
    return read({{std::string(kPrefix) + "/" + name, "192.0.2.1"}}, kPrefix, {}, up_to(level))
        .is_refused;
  };
  EXPECT_TRUE(read_one("server-snippet", "return 200;").is_refused) << "High is the default";
  EXPECT_FALSE(is_refused("server-snippet", settings::Risk::kCritical));
  EXPECT_FALSE(is_refused("auth-url", settings::Risk::kHigh));
  EXPECT_TRUE(is_refused("auth-url", settings::Risk::kMedium));
  EXPECT_TRUE(is_refused("whitelist-source-range", settings::Risk::kLow));
  EXPECT_FALSE(is_refused("whitelist-source-range", settings::Risk::kMedium));
  EXPECT_FALSE(is_refused("unheard-of", settings::Risk::kLow));
}

TEST(BlockedWords, RefuseTheIngressWhereAValueContainsOne) {
  settings::IngressRules rules;
  rules.blocked_words = {"load_module", "{"};
  const auto read_with = [&](const std::string& key, const std::string& value) {
    return read({{key, value}}, kPrefix, {}, rules);
  };
  const std::string key = "nginx.ingress.kubernetes.io/upstream-vhost";
  const auto refused = read_with(key, "a{b");
  EXPECT_TRUE(refused.is_refused);
  const auto found = std::ranges::find(refused.problems, Rule::kBlockedWord, &Problem::rule);
  ASSERT_NE(found, refused.problems.end());
  EXPECT_EQ(found->message,
            key +
                ": expected a value without the words of annotation-value-word-blocklist, got "
                "one with '{'; the Ingress is refused, its routes answer 503");
  EXPECT_EQ(found->verdict, key + " annotation contains invalid word {");
  EXPECT_EQ(refused.policy.denied_why, found->message);
  EXPECT_TRUE(read_with("nginx.ingress.kubernetes.io/unheard-of", "xload_modulex").is_refused);
  EXPECT_FALSE(read_with("nginx.ingress.kubernetes.io/unheard-of", "LOAD_MODULE").is_refused);
  EXPECT_FALSE(read_with("other.example/key", "{").is_refused);
  EXPECT_FALSE(read_with(key, "a.example").is_refused);
}

TEST(BlockedWords, AreFoundQuicklyInTextThatIsMadeToBeSlow) {
  settings::IngressRules rules;
  rules.blocked_words.assign(settings::WordList::kMost,
                             std::string(settings::WordList::kLongest - 1, 'a') + "b");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(
      read({{"nginx.ingress.kubernetes.io/x", std::string(256U << 10, 'a')}}, kPrefix, {}, rules)
          .is_refused);
  // Comparing at each place would take 8 * 10^9 steps.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
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
