#include "controller/objects/udp_service.h"

#include <array>

#include "controller/objects/parse.h"

namespace penstock::objects {
namespace {

constexpr std::int64_t kMostResponses = 1'000'000;
constexpr std::int64_t kMostSessions = 1'000'000;
constexpr std::int64_t kMostPackets = 10'000'000;

constexpr std::array kUdpProxyProtocolVersions = {
    Named<ProxyProtocolVersion>{"None", ProxyProtocolVersion::kNone},
    Named<ProxyProtocolVersion>{"V2", ProxyProtocolVersion::kV2},
};

StreamListener parse_udp_listener(const Json& json) {
  json.allow_only({"name", "port", "portRange", "address"});
  StreamListener listener;
  parse_stream_listener(json, listener);
  return listener;
}

StreamBackend parse_udp_backend(const Json& json) {
  json.allow_only({"service", "host", "weight", "backup", "maxConnections", "proxyProtocol"});
  auto backend = parse_stream_backend(json);
  backend.proxy_protocol =
      choose(json, "proxyProtocol", kUdpProxyProtocolVersions, ProxyProtocolVersion::kNone);
  return backend;
}

void parse_udp_policies(const Json& spec, UdpService& service) {
  service.load_balancing = parse_udp_balancing(spec);
  service.health = parse_udp_health(spec);
  if (const auto part = spec.get("session"); !part.is_absent()) {
    part.allow_only(
        {"idleTimeout", "maxResponses", "maxRequests", "maxSessions", "maxSessionsPerIP"});
    service.idle_timeout = parse_duration(part, "idleTimeout");
    service.max_responses = parse_count(part, "maxResponses", 0, kMostResponses);
    service.max_requests = parse_count(part, "maxRequests", 0, kMostResponses);
    service.max_sessions = parse_count(part, "maxSessions", 1, kMostSessions);
    service.max_sessions_per_address = parse_count(part, "maxSessionsPerIP", 0, kMostSessions);
  }
  if (const auto part = spec.get("limits"); !part.is_absent()) {
    part.allow_only({"packetsPerSecondPerIP"});
    service.packets_per_second_per_address =
        parse_count(part, "packetsPerSecondPerIP", 0, kMostPackets);
  }
  service.access = parse_stream_access(spec);
  service.log = parse_logs(spec);
  check_no_backup(spec, service.load_balancing, service.backends);
}

}  // namespace

UdpService parse_udp_service(const Json& json) {
  UdpService service;
  service.meta = parse_meta(json);
  const auto spec = json.get("spec");
  if (spec.is_absent()) json.fail("spec: expected an object, got none");
  if (!spec.is_absent()) {
    // A field that is not understood may be what keeps strangers out: nothing is half served.
    spec.allow_only({"ingressClassName", "listeners", "backends", "loadBalancing", "health",
                     "session", "limits", "access", "accessLog", "errorLog"});
  }
  service.class_name = spec.optional_text("ingressClassName");
  spec.limit_text("ingressClassName", 0, kLongestName);
  spec.for_each("listeners",
                [&](const Json& item) { service.listeners.push_back(parse_udp_listener(item)); });
  spec.for_each("backends",
                [&](const Json& item) { service.backends.push_back(parse_udp_backend(item)); });
  check_listeners(spec, service.listeners);
  check_backends(spec, service.backends);
  parse_udp_policies(spec, service);
  service.status = parse_stream_status(json);
  take_allocated_ports(service.listeners, service.status);
  return service;
}

}  // namespace penstock::objects
