#include "controller/objects/tcp_service.h"

#include <algorithm>
#include <array>

#include "controller/objects/parse.h"

namespace penstock::objects {
namespace {

constexpr std::array kProxyProtocolModes = {
    Named<ProxyProtocolMode>{"Off", ProxyProtocolMode::kOff},
    Named<ProxyProtocolMode>{"Optional", ProxyProtocolMode::kOptional},
    Named<ProxyProtocolMode>{"Required", ProxyProtocolMode::kRequired},
};
constexpr std::array kProxyProtocolVersions = {
    Named<ProxyProtocolVersion>{"None", ProxyProtocolVersion::kNone},
    Named<ProxyProtocolVersion>{"V1", ProxyProtocolVersion::kV1},
    Named<ProxyProtocolVersion>{"V2", ProxyProtocolVersion::kV2},
};
constexpr std::array kEndpointRemovals = {
    Named<EndpointRemoval>{"Keep", EndpointRemoval::kKeep},
    Named<EndpointRemoval>{"Close", EndpointRemoval::kClose},
    Named<EndpointRemoval>{"CloseAfter", EndpointRemoval::kCloseAfter},
};
constexpr std::array kSpecChanges = {Named<bool>{"Keep", false}, Named<bool>{"Close", true}};

constexpr std::size_t kMostTrusted = 64;
constexpr std::size_t kMostSources = 64;
constexpr std::size_t kMostRules = 32;
constexpr std::size_t kMostRuleProtocols = 16;
constexpr std::size_t kLongestRuleName = 63;

TcpListener parse_tcp_listener(const Json& json) {
  json.allow_only({"name", "port", "portRange", "address", "proxyProtocol", "tls"});
  TcpListener listener;
  parse_stream_listener(json, listener);
  listener.tls = parse_listener_tls(json);
  const auto proxy = json.get("proxyProtocol");
  if (proxy.is_absent()) return listener;
  proxy.allow_only({"mode", "trustedCIDRs"});
  if (proxy.get("mode").is_absent()) proxy.fail("mode: expected one of Off, Optional, Required");
  listener.proxy_protocol = choose(proxy, "mode", kProxyProtocolModes, ProxyProtocolMode::kOff);
  listener.trusted_proxies = parse_networks(proxy, "trustedCIDRs", kMostTrusted);
  if (listener.proxy_protocol != ProxyProtocolMode::kOff && listener.trusted_proxies.empty()) {
    proxy.fail("trustedCIDRs: expected the networks whose PROXY header is believed, got none");
  }
  return listener;
}

StreamBackend parse_tcp_backend(const Json& json) {
  json.allow_only(
      {"service", "host", "weight", "backup", "maxConnections", "proxyProtocol", "tls"});
  auto backend = parse_stream_backend(json);
  backend.tls = parse_backend_tls(json, backend.host);
  backend.proxy_protocol =
      choose(json, "proxyProtocol", kProxyProtocolVersions, ProxyProtocolVersion::kNone);
  return backend;
}

TcpRule parse_tcp_rule(const Json& json) {
  json.allow_only({"name", "match", "backends"});
  TcpRule rule;
  json.limit_text("name", 0, kLongestRuleName);
  const auto match = json.get("match");
  if (!match.is_absent()) {
    match.allow_only({"sourceCIDRs", "sni", "alpn"});
    rule.server_names = parse_server_names(match);
    if (!match.get("alpn").is_absent()) match.limit_items("alpn", 1, kMostRuleProtocols);
    rule.protocols = parse_protocols(match, "alpn");
    rule.source_networks = parse_networks(match, "sourceCIDRs", kMostSources);
  }
  json.for_each("backends",
                [&](const Json& item) { rule.backends.push_back(parse_tcp_backend(item)); });
  check_backends(json, rule.backends);
  return rule;
}

/// Names and protocols are read from a TLS hello.
void check_tls(const Json& spec, const TcpService& service) {
  const bool has_tls = std::ranges::any_of(
      service.listeners, [](const TcpListener& each) { return each.tls.mode != TlsMode::kOff; });
  const bool needs_tls = std::ranges::any_of(service.rules, [](const TcpRule& each) {
    return !each.server_names.empty() || !each.protocols.empty();
  });
  if (needs_tls && !has_tls) {
    spec.fail("rules: match.sni and match.alpn expect a listener with tls, got none");
  }
  const bool is_mysql = std::ranges::any_of(service.listeners, [](const TcpListener& each) {
    return each.tls.start_tls == StartTls::kMySql;
  });
  if (!is_mysql) return;
  if (needs_tls) {
    spec.fail(
        "rules: expected no match.sni or match.alpn with starttls MySQL, where the server "
        "speaks before the client's name is known");
  }
  for (const auto& rule : service.rules) {
    if (std::ranges::all_of(rule.backends, [](const auto& each) { return each.tls.is_enabled; })) {
      continue;
    }
    spec.fail(
        "rules: expected tls on every backend with starttls MySQL, got one without: whether "
        "there is TLS decides what the server takes for a password");
  }
}

/// What stands behind a rule that takes every client would never be asked.
void check_rules(const Json& spec) {
  spec.limit_items("rules", 1, kMostRules);
  std::size_t unmatched = 0;
  spec.for_each("rules", [&](const Json& rule) {
    if (unmatched > 0) spec.fail("rules: only the last rule may be without match");
    if (rule.get("match").is_absent()) ++unmatched;
  });
}

void parse_limits(const Json& spec, TcpService& service) {
  constexpr std::int64_t kMost = 10'000'000;
  constexpr std::int64_t kSlowest = 1024;  // bytes a second
  constexpr std::int64_t kFastest = 4'000'000'000;
  if (const auto part = spec.get("limits"); !part.is_absent()) {
    part.allow_only({"connections", "connectionsPerIP", "newConnectionsPerSecond",
                     "newConnectionsPerSecondPerIP", "downloadBytesPerSecond",
                     "uploadBytesPerSecond"});
    const auto limit = [&](std::string_view key) {
      return parse_count(part, key, 0, kMost).value_or(0);
    };
    service.connections = limit("connections");
    service.connections_per_address = limit("connectionsPerIP");
    service.new_per_second = limit("newConnectionsPerSecond");
    service.new_per_second_per_address = limit("newConnectionsPerSecondPerIP");
    const auto rate = [&](std::string_view key) {
      return parse_count(part, key, kSlowest, kFastest).value_or(0);
    };
    service.download_rate = rate("downloadBytesPerSecond");
    service.upload_rate = rate("uploadBytesPerSecond");
  }
  if (const auto part = spec.get("keepalive"); !part.is_absent()) {
    part.allow_only({"idle", "interval", "probes"});
    service.keepalive_idle = parse_duration(part, "idle");
    service.keepalive_interval = parse_duration(part, "interval");
    service.keepalive_probes = parse_count(part, "probes", 1, 127);
    if (!service.keepalive_idle) part.fail("idle: expected a duration, got none");
  }
}

TcpDrain parse_drain(const Json& spec) {
  TcpDrain drain;
  const auto part = spec.get("drain");
  if (part.is_absent()) return drain;
  part.allow_only({"onEndpointRemoval", "after", "onSpecChange"});
  drain.on_endpoint_removal =
      choose(part, "onEndpointRemoval", kEndpointRemovals, EndpointRemoval::kKeep);
  drain.after = parse_duration(part, "after");
  drain.ends_on_change = choose(part, "onSpecChange", kSpecChanges, false);
  if (drain.on_endpoint_removal == EndpointRemoval::kCloseAfter && !drain.after) {
    part.fail("after: expected a duration with onEndpointRemoval: CloseAfter, got none");
  }
  return drain;
}

void parse_timeouts(const Json& spec, TcpService& service) {
  const auto part = spec.get("timeouts");
  if (part.is_absent()) return;
  part.allow_only({"connect", "idle", "clientIdle", "upstreamIdle", "halfClose", "maxSession"});
  service.connect_timeout = parse_duration(part, "connect");
  service.idle_timeout = parse_duration(part, "idle");
  service.client_idle_timeout = parse_duration(part, "clientIdle");
  service.upstream_idle_timeout = parse_duration(part, "upstreamIdle");
  service.half_close_timeout = parse_duration(part, "halfClose");
  service.max_session = parse_duration(part, "maxSession");
}

void parse_policies(const Json& spec, TcpService& service) {
  service.load_balancing = parse_tcp_balancing(spec);
  service.health = parse_tcp_health(spec);
  parse_timeouts(spec, service);
  service.drain = parse_drain(spec);
  if (const auto part = spec.get("retries"); !part.is_absent()) {
    part.allow_only({"attempts", "timeout"});
    service.attempts = parse_count(part, "attempts", 0, 1000);
    service.retry_timeout = parse_duration(part, "timeout");
  }
  service.access = parse_stream_access(spec);
  service.log = parse_logs(spec);
  parse_limits(spec, service);
  for (const auto& rule : service.rules) {
    check_no_backup(spec, service.load_balancing, rule.backends);
  }
}

}  // namespace

TcpService parse_tcp_service(const Json& json) {
  TcpService service;
  service.meta = parse_meta(json);
  const auto spec = json.get("spec");
  if (spec.is_absent()) json.fail("spec: expected an object, got none");
  if (!spec.is_absent()) {
    // A field that is not understood may be what keeps strangers out: nothing is half served.
    spec.allow_only({"ingressClassName", "listeners", "rules", "loadBalancing", "health",
                     "timeouts", "retries", "limits", "keepalive", "access", "accessLog",
                     "errorLog", "drain"});
  }
  service.class_name = spec.optional_text("ingressClassName");
  spec.limit_text("ingressClassName", 0, kLongestName);
  spec.for_each("listeners",
                [&](const Json& item) { service.listeners.push_back(parse_tcp_listener(item)); });
  spec.for_each("rules", [&](const Json& item) { service.rules.push_back(parse_tcp_rule(item)); });
  check_listeners(spec, service.listeners);
  check_rules(spec);
  check_tls(spec, service);
  parse_policies(spec, service);
  service.status = parse_stream_status(json);
  take_allocated_ports(service.listeners, service.status);
  return service;
}

}  // namespace penstock::objects
