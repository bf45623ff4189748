#include "controller/objects/tcp_service.h"

#include <algorithm>
#include <array>

#include "controller/objects/parse.h"

namespace penstock::objects {
namespace {

constexpr std::int64_t kMaxPort = 65535;
constexpr std::int64_t kMaxWeight = 1'000'000;

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
constexpr std::array kAlgorithms = {
    Named<LoadBalancing>{"RoundRobin", LoadBalancing::kRoundRobin},
    Named<LoadBalancing>{"LeastConnections", LoadBalancing::kLeastConnections},
    Named<LoadBalancing>{"Random2", LoadBalancing::kRandom2},
    Named<LoadBalancing>{"LeastTime", LoadBalancing::kLeastTime},
    Named<LoadBalancing>{"SourceIPHash", LoadBalancing::kSourceIpHash},
    Named<LoadBalancing>{"Hash", LoadBalancing::kHash},
};

std::vector<base::IpNet> networks(const Json& json, std::string_view key) {
  std::vector<base::IpNet> nets;
  json.for_each(key, [&](const Json& item) {
    const auto net = base::IpNet::parse(item.own_text());
    if (net) {
      nets.push_back(*net);
    } else {
      item.fail(net.error().message);
    }
  });
  std::sort(nets.begin(), nets.end());
  return nets;
}

std::optional<base::Duration> duration(const Json& json, std::string_view key) {
  const auto text = json.optional_text(key);
  if (!text) return std::nullopt;
  const auto parsed = base::parse_go_duration(*text);
  if (parsed) return *parsed;
  json.get(key).fail(parsed.error().message);
  return std::nullopt;
}

TcpListener parse_listener(const Json& json) {
  json.allow_only({"name", "port", "address", "proxyProtocol"});
  TcpListener listener;
  listener.name = json.text("name");
  listener.port = static_cast<std::uint16_t>(json.integer("port", 1, kMaxPort, 0));
  if (listener.port == 0) json.fail("expected a port, got none");
  if (const auto text = json.text("address"); !text.empty()) {
    const auto address = base::parse_address(text);
    if (address) {
      listener.address = address->to_string();
    } else {
      json.get("address").fail(address.error().message);
    }
  }
  const auto proxy = json.get("proxyProtocol");
  if (proxy.is_absent()) return listener;
  proxy.allow_only({"mode", "trustedCIDRs"});
  listener.proxy_protocol = choose(proxy, "mode", kProxyProtocolModes, ProxyProtocolMode::kOff);
  listener.trusted_proxies = networks(proxy, "trustedCIDRs");
  if (listener.proxy_protocol != ProxyProtocolMode::kOff && listener.trusted_proxies.empty()) {
    proxy.fail("trustedCIDRs: expected the networks whose PROXY header is believed, got none");
  }
  return listener;
}

TcpBackend parse_backend(const Json& json) {
  json.allow_only({"service", "host", "weight", "proxyProtocol"});
  TcpBackend backend;
  const auto service = json.get("service");
  const auto host = json.get("host");
  if (service.is_absent() == host.is_absent()) {
    json.fail("expected exactly one of service and host");
    return backend;
  }
  const auto& target = host.is_absent() ? service : host;
  if (host.is_absent()) {
    service.allow_only({"name", "namespace", "port"});
    backend.service = service.text("name");
    backend.name_space = service.text("namespace");
    backend.port = parse_port(service, "port");
  } else {
    host.allow_only({"name", "port"});
    backend.host = host.text("name");
    backend.port.number = static_cast<std::uint16_t>(host.integer("port", 1, kMaxPort, 0));
  }
  if (backend.service.empty() && backend.host.empty()) target.fail("expected a name, got none");
  if (!backend.port.is_given()) target.fail("expected a port, got none");
  backend.weight = static_cast<std::uint32_t>(json.integer("weight", 0, kMaxWeight, 1));
  backend.proxy_protocol =
      choose(json, "proxyProtocol", kProxyProtocolVersions, ProxyProtocolVersion::kNone);
  return backend;
}

TcpRule parse_rule(const Json& json) {
  json.allow_only({"name", "match", "backends"});
  TcpRule rule;
  const auto match = json.get("match");
  if (!match.is_absent()) {
    match.allow_only({"sourceCIDRs"});
    rule.source_networks = networks(match, "sourceCIDRs");
  }
  json.for_each("backends",
                [&](const Json& item) { rule.backends.push_back(parse_backend(item)); });
  const bool has_weight =
      std::ranges::any_of(rule.backends, [](const TcpBackend& each) { return each.weight > 0; });
  if (!has_weight) json.fail("backends: expected one with a weight above 0, got none");
  return rule;
}

void parse_policies(const Json& spec, TcpService& service) {
  if (const auto part = spec.get("loadBalancing"); !part.is_absent()) {
    part.allow_only({"algorithm"});
    service.load_balancing = choose(part, "algorithm", kAlgorithms, LoadBalancing::kRoundRobin);
  }
  if (const auto part = spec.get("health"); !part.is_absent()) {
    part.allow_only({"passive"});
    const auto passive = part.get("passive");
    if (!passive.is_absent()) passive.allow_only({"maxFails", "failTimeout"});
    service.max_fails = static_cast<std::uint32_t>(passive.integer("maxFails", 0, 1000, 1));
    service.fail_timeout = duration(passive, "failTimeout").value_or(service.fail_timeout);
  }
  if (const auto part = spec.get("timeouts"); !part.is_absent()) {
    part.allow_only({"connect", "idle"});
    service.connect_timeout = duration(part, "connect");
    service.idle_timeout = duration(part, "idle");
  }
  if (const auto part = spec.get("retries"); !part.is_absent()) {
    part.allow_only({"attempts", "timeout"});
    if (const auto field = part.get("attempts"); !field.is_absent()) {
      service.attempts = static_cast<std::uint32_t>(field.own_integer(0, 1000));
    }
    service.retry_timeout = duration(part, "timeout");
  }
  if (const auto part = spec.get("access"); !part.is_absent()) {
    part.allow_only({"allow", "deny"});
    service.allowed = networks(part, "allow");
    service.denied = networks(part, "deny");
  }
  if (const auto part = spec.get("accessLog"); !part.is_absent()) {
    part.allow_only({"enabled"});
    service.is_logged = part.boolean("enabled", true);
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
                     "timeouts", "retries", "access", "accessLog"});
  }
  service.class_name = spec.optional_text("ingressClassName");
  spec.for_each("listeners",
                [&](const Json& item) { service.listeners.push_back(parse_listener(item)); });
  spec.for_each("rules", [&](const Json& item) { service.rules.push_back(parse_rule(item)); });
  if (service.listeners.empty()) spec.fail("listeners: expected at least one, got none");
  if (service.rules.empty()) spec.fail("rules: expected at least one, got none");
  parse_policies(spec, service);
  return service;
}

}  // namespace penstock::objects
