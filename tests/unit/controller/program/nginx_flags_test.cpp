#include "controller/program/nginx_flags.h"

#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <set>

#include "controller/program/flags.h"

namespace penstock::program {
namespace {

/// The 72 flags of ingress-nginx's controller 1.15, each with a value that is not its default.
const std::vector<std::pair<std::string, std::string>> kAll = {
    {"annotations-prefix", "example.test"},
    {"apiserver-host", "https://10.0.0.1:6443"},
    {"bucket-factor", "1.1"},
    {"certificate-authority", "/ca.pem"},
    {"configmap", "ns/config"},
    {"controller-class", "example.test/other"},
    {"deep-inspect", "false"},
    {"default-backend-service", "ns/fallback"},
    {"default-server-port", "8282"},
    {"default-ssl-certificate", "ns/cert"},
    {"disable-catch-all", "true"},
    {"disable-full-test", "true"},
    {"disable-leader-election", "true"},
    {"disable-svc-external-name", "true"},
    {"disable-sync-events", "true"},
    {"dynamic-configuration-retries", "3"},
    {"election-id", "other"},
    {"election-ttl", "10s"},
    {"enable-annotation-validation", "false"},
    {"enable-metrics", "false"},
    {"enable-ssl-chain-completion", "true"},
    {"enable-ssl-passthrough", "true"},
    {"enable-topology-aware-routing", "true"},
    {"exclude-socket-metrics", "connect_duration_seconds"},
    {"health-check-path", "/health"},
    {"health-check-timeout", "3"},
    {"healthz-host", "10.1.2.3"},
    {"healthz-port", "10300"},
    {"http-port", "8080"},
    {"https-port", "8443"},
    {"ingress-class", "other"},
    {"ingress-class-by-name", "true"},
    {"internal-logger-address", "127.0.0.1:514"},
    {"kubeconfig", "/kubeconfig"},
    {"length-buckets", "1,2,3"},
    {"max-buckets", "50"},
    {"maxmind-edition-ids", "GeoLite2-Country"},
    {"maxmind-license-key", "key"},
    {"maxmind-mirror", "https://mirror.test"},
    {"maxmind-retries-count", "4"},
    {"maxmind-retries-timeout", "3s"},
    {"metrics-per-host", "false"},
    {"metrics-per-undefined-host", "true"},
    {"monitor-max-batch-size", "5"},
    {"post-shutdown-grace-period", "5"},
    {"profiler-address", "10.1.2.3"},
    {"profiler-port", "10300"},
    {"profiling", "true"},
    {"publish-service", "ns/service"},
    {"publish-status-address", "10.1.2.3"},
    {"report-node-internal-ip-address", "true"},
    {"report-status-classes", "true"},
    {"shutdown-grace-period", "5"},
    {"size-buckets", "1,2,3"},
    {"ssl-passthrough-proxy-port", "4420"},
    {"status-port", "10300"},
    {"status-update-interval", "30"},
    {"stream-port", "10300"},
    {"sync-period", "5m"},
    {"sync-rate-limit", "1"},
    {"tcp-services-configmap", "ns/tcp"},
    {"time-buckets", "1,2,3"},
    {"udp-services-configmap", "ns/udp"},
    {"update-status", "false"},
    {"update-status-on-shutdown", "false"},
    {"validating-webhook", ":8443"},
    {"validating-webhook-certificate", "/cert.pem"},
    {"validating-webhook-key", "/key.pem"},
    {"version", "true"},
    {"watch-ingress-without-class", "true"},
    {"watch-namespace", "ns"},
    {"watch-namespace-selector", "team=a"},
};

/// What a command line of the controller comes to.
struct Parsed {
  CLI::App app{"test", "test"};
  Flags flags;

  Parsed() {
    app.set_version_flag("--version", "1");
    add_kubernetes_flags(app, flags);
    add_translation_flags(app, flags);
    add_program_flags(app, flags);
    add_webhook_flags(app, flags);
  }
  /// Empty, or why it was refused.
  std::string parse(std::vector<std::string> arguments) {
    std::ranges::reverse(arguments);
    try {
      app.parse(std::move(arguments));
    } catch (const CLI::Error& error) {
      return error.get_name() + ": " + error.what();
    }
    return {};
  }
};

const NginxFlag* row_of(std::string_view name) {
  const auto rows = nginx_flags();
  const auto found = std::ranges::find(rows, name, &NginxFlag::name);
  return found == rows.end() ? nullptr : &*found;
}

TEST(NginxFlags, AreAllInTheTableOnce) {
  ASSERT_EQ(kAll.size(), 72U);
  std::set<std::string_view> names;
  for (const auto& row : nginx_flags()) EXPECT_TRUE(names.insert(row.name).second) << row.name;
  for (const auto& [name, value] : kAll) EXPECT_TRUE(names.contains(name)) << name;
}

TEST(NginxFlags, EachIsTakenAndServedOrMappedOrWarnedOf) {
  for (const auto& [name, value] : kAll) {
    SCOPED_TRACE(name);
    const auto* row = row_of(name);
    ASSERT_NE(row, nullptr);
    Parsed parsed;
    const auto refused = parsed.parse({"--" + name + "=" + value});
    if (name == "version") {
      EXPECT_EQ(refused, "CallForVersion: 1");
      continue;
    }
    EXPECT_EQ(refused, "");
    if (row->fate == NginxFlag::Fate::kIgnored) {
      ASSERT_EQ(parsed.flags.warnings.size(), 1U);
      EXPECT_EQ(parsed.flags.warnings[0], "--" + name + " has no effect: " + std::string(row->doc));
      EXPECT_GT(row->doc.size(), 10U) << "no reason is given";
    } else {
      EXPECT_TRUE(parsed.flags.warnings.empty());
      EXPECT_EQ(row->apply != nullptr, row->fate == NginxFlag::Fate::kMapped);
    }
  }
}

TEST(NginxFlags, ThatCannotBeAreRefusedWithWhatIsExpected) {
  EXPECT_EQ(Parsed().parse({"--election-ttl=1s"}),
            "ValidationError: --election-ttl: expected a duration from 4s to 1h, got '1s'");
  EXPECT_NE(Parsed().parse({"--election-ttl=soon"}), "");
  EXPECT_NE(Parsed().parse({"--health-check-path=health"}), "");
}

TEST(NginxFlags, ThoseThatAreServedChangeWhatTheySay) {
  Parsed parsed;
  std::vector<std::string> arguments;
  for (const auto& [name, value] : kAll) {
    if (name != "version" && row_of(name)->fate == NginxFlag::Fate::kServed) {
      arguments.push_back("--" + name + "=" + value);
    }
  }
  ASSERT_EQ(parsed.parse(arguments), "");
  const auto& flags = parsed.flags;
  EXPECT_EQ(flags.translate.annotation_prefix, "example.test");
  EXPECT_EQ(flags.translate.config_map, "ns/config");
  EXPECT_EQ(flags.translate.controller_class, "example.test/other");
  EXPECT_EQ(flags.translate.default_backend, "ns/fallback");
  EXPECT_EQ(flags.translate.default_certificate, "ns/cert");
  EXPECT_EQ(flags.election_id, "other");
  EXPECT_EQ(flags.election_ttl, std::chrono::seconds(10));
  EXPECT_EQ(flags.api_server, "https://10.0.0.1:6443");
  EXPECT_EQ(flags.api_server_authority, "/ca.pem");
  EXPECT_EQ(flags.health_path, "/health");
  EXPECT_TRUE(flags.translate.refuses_catch_all);
  EXPECT_TRUE(flags.translate.refuses_external_names);
  EXPECT_EQ(flags.translate.http_port, 8080);
  EXPECT_EQ(flags.translate.https_port, 8443);
  EXPECT_EQ(flags.translate.ingress_class, "other");
  EXPECT_TRUE(flags.translate.takes_class_by_name);
  EXPECT_EQ(flags.kubeconfig, "/kubeconfig");
  EXPECT_EQ(flags.publish_service, "ns/service");
  EXPECT_EQ(flags.publish_status_address, "10.1.2.3");
  EXPECT_TRUE(flags.reports_internal_addresses);
  EXPECT_EQ(flags.translate.tcp_services, "ns/tcp");
  EXPECT_EQ(flags.translate.udp_services, "ns/udp");
  EXPECT_FALSE(flags.updates_status);
  EXPECT_FALSE(flags.clears_status_on_shutdown);
  EXPECT_EQ(flags.webhook_address, ":8443");
  EXPECT_FALSE(flags.webhook_inspects_deeply);
  EXPECT_EQ(flags.webhook_certificate, "/cert.pem");
  EXPECT_EQ(flags.webhook_key, "/key.pem");
  EXPECT_TRUE(flags.translate.takes_without_class);
  EXPECT_EQ(flags.watch_namespace, "ns");
  EXPECT_EQ(flags.watch_namespace_selector, "team=a");
}

TEST(NginxFlags, ThePortOfTheWebhookIsReservedAndItsFilesGoTogether) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--validating-webhook=:9443"}), "");
  const auto options = to_options(parsed.flags);
  ASSERT_TRUE(options);
  EXPECT_NE(std::ranges::find(options->translate.reserved_ports, 9443),
            options->translate.reserved_ports.end());
  Parsed half;
  EXPECT_EQ(half.parse({"--validating-webhook=:9443", "--validating-webhook-key=/key.pem"}), "");
  EXPECT_FALSE(to_options(half.flags));
}

TEST(NginxFlags, HealthzHostAndPortAreThoseOfTheStatusAddressInAnyOrder) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--healthz-port=10300", "--status-address=127.0.0.1:1",
                          "--healthz-host=10.1.2.3"}),
            "");
  EXPECT_EQ(parsed.flags.status_address, "10.1.2.3:10300");
  const auto options = to_options(parsed.flags);
  ASSERT_TRUE(options);
  EXPECT_NE(std::ranges::find(options->translate.reserved_ports, 10300),
            options->translate.reserved_ports.end());

  Parsed everywhere;
  EXPECT_EQ(everywhere.parse({"--healthz-host="}), "");
  EXPECT_EQ(everywhere.flags.status_address, "0.0.0.0:10254");

  Parsed v6;
  EXPECT_EQ(v6.parse({"--healthz-host=::1", "--healthz-port", "99"}), "");
  EXPECT_EQ(v6.flags.status_address, "[::1]:99");
}

TEST(NginxFlags, WithoutLeaderElectionNobodyWritesStatuses) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--disable-leader-election"}), "");
  EXPECT_FALSE(parsed.flags.updates_status);
  Parsed off;
  EXPECT_EQ(off.parse({"--disable-leader-election=false"}), "");
  EXPECT_TRUE(off.flags.updates_status);
}

TEST(NginxFlags, VerbosityIsALevelOfTheLog) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--v=3"}, {"-v=5"}, {"-v", "5"}, {"-v5"}}) {
    Parsed parsed;
    EXPECT_EQ(parsed.parse(words), "") << words[0];
    EXPECT_EQ(parsed.flags.log_level, "debug") << words[0];
  }
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--v=2", "--logtostderr", "--vmodule=x=3"}), "");
  EXPECT_EQ(parsed.flags.log_level, "info");
  EXPECT_EQ(parsed.flags.warnings,
            std::vector<std::string>{
                "--vmodule has no effect: --log-level holds for all parts of the program"});
}

TEST(NginxFlags, AValueThatCannotBeReadIsNamed) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--healthz-port=70000"}),
            "ValidationError: --healthz-port: expected a port from 1 to 65535, got '70000'");
  EXPECT_EQ(Parsed().parse({"--disable-leader-election=maybe"}),
            "ValidationError: --disable-leader-election: expected true or false, got 'maybe'");
  EXPECT_NE(Parsed().parse({"--profilling=false"}), "") << "an unknown flag";
}

TEST(NginxFlags, WhatHoldsAnywayNeedsNoWord) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--profiling=false", "--deep-inspect=true", "--enable-metrics=true",
                          "--election-ttl=30s", "--enable-ssl-passthrough=false",
                          "--health-check-path=/healthz", "--maxmind-license-key="}),
            "");
  EXPECT_TRUE(parsed.flags.warnings.empty());
}

TEST(NginxFlags, AFlagTwiceIsOneWarning) {
  Parsed parsed;
  EXPECT_EQ(parsed.parse({"--sync-period=1m", "--sync-period=2m"}), "");
  EXPECT_EQ(parsed.flags.warnings.size(), 1U);
}

}  // namespace
}  // namespace penstock::program
