#include "proxy/snapshot/validate.h"

#include <fmt/format.h>

#include <concepts>
#include <string_view>
#include <tuple>

#include "proxy/base/ip_net.h"

namespace penstock::snapshot {
namespace {

constexpr base::Duration kLongestTraceDelay{600'000};

/// Collects what is wrong with one part, each reason named by the part.
class Check {
 public:
  Check(const PartKey& key, const Snapshot& after, std::vector<std::string>& reasons)
      : key_(key), after_(after), reasons_(reasons) {}

  void operator()(const Global& global) {
    for (const auto& listener : global.listeners) {
      expect(listener.port != 0, "listeners: expected a port from 1 to 65535, got 0");
      check_address("listeners", listener.address);
    }
    const auto& traces = global.traces;
    expect(traces.max_queue != 0 && traces.max_batch != 0,
           "traces: expected a queue and a batch above zero");
    expect(traces.delay.count() > 0 && traces.delay <= kLongestTraceDelay,
           "traces: expected a delay from 1 to {} ms, got {}", kLongestTraceDelay.count(),
           traces.delay.count());
    expect(traces.collector_host.empty() || traces.collector_port != 0,
           "traces: expected a port from 1 to 65535, got 0");
  }
  void operator()(const Certificate& certificate) {
    check_name(certificate.name);
    expect(!certificate.chain_pem.empty(), "chain_pem: expected a certificate, got nothing");
    expect(!certificate.private_key_pem.empty(), "private_key_pem: expected a key, got nothing");
  }
  void operator()(const Upstream& upstream) {
    check_name(upstream.name);
    const auto& check = upstream.health_check;
    if (check.type == ProbeType::kNone) return;
    expect(check.interval.count() > 0 && check.timeout.count() > 0,
           "health_check: expected an interval and a timeout above zero");
    expect(check.passes > 0 && check.fails > 0,
           "health_check: expected passes and fails above zero");
    const bool is_datagram = check.type == ProbeType::kIcmpUnreachable;
    expect(is_datagram ? check.is_udp : !check.is_udp || check.type == ProbeType::kSendExpect,
           "health_check: {} does not fit the transport", name_of(check.type));
  }
  void operator()(const Endpoints& endpoints) {
    check_name(endpoints.upstream);
    for (const auto& endpoint : endpoints.endpoints) {
      expect(!endpoint.address.empty() && base::parse_address(endpoint.address).has_value(),
             "endpoints: expected an IP address, got '{}'", endpoint.address);
      expect(endpoint.port != 0, "endpoints: expected a port from 1 to 65535, got 0");
    }
  }
  void operator()(const Host& host) {
    check_name(host.name);
    const Route* before = nullptr;
    for (const auto& route : host.routes) {
      expect(route.path.starts_with('/'), "path: expected to start with /, got '{}'", route.path);
      check_upstream(route.upstream, !route.upstream.empty());
      expect(before == nullptr ||
                 std::tie(before->path, before->match) < std::tie(route.path, route.match),
             "routes: expected to be sorted without repeats, at '{}'", route.path);
      before = &route;
    }
    if (!host.certificate.empty()) check_certificate(host.certificate);
  }
  void operator()(const Stream& stream) {
    check_stream(stream);
    for (const auto& name : stream.tls.certificates) check_certificate(name);
    for (const auto& rule : stream.rules) {
      for (const auto& backend : rule.backends) {
        check_upstream(backend.upstream, true);
        if (!backend.tls.certificate.empty()) check_certificate(backend.tls.certificate);
      }
    }
    check_delegates(stream);
    expect(stream.hash_key != HashKey::kQuicConnectionId,
           "hash_key: expected one of TCP, got quic_connection_id");
    expect(stream.drain.on_endpoint_removal != EndpointRemoval::kCloseAfter ||
               stream.drain.after.count() > 0,
           "drain: expected a time for close_after, got none");
  }
  void operator()(const UdpStream& stream) {
    check_stream(stream);
    for (const auto& backend : stream.backends) {
      check_upstream(backend.upstream, true);
      expect(backend.proxy_protocol != ProxyProtocolOut::kV1,
             "proxy_protocol: expected none or v2, got v1");
    }
    expect(stream.hash_key != HashKey::kServerName,
           "hash_key: expected one of UDP, got server_name");
    expect(stream.max_sessions != 0, "max_sessions: expected at least 1, got 0");
  }

 private:
  void check_delegates(const Stream& stream) {
    expect(stream.entrance != StreamEntrance::kHttps || !stream.delegates.empty(),
           "entrance: expected delegates with https, got none");
    const StreamDelegate* before = nullptr;
    for (const auto& delegate : stream.delegates) {
      const auto* found = after_.find<Stream>(PartKind::kStream, delegate.stream);
      expect(found != nullptr && found->entrance == StreamEntrance::kNames,
             "delegates: expected a stream that is entered by names, got '{}'", delegate.stream);
      expect(before == nullptr || before->server_name < delegate.server_name,
             "delegates: expected to be sorted without repeats, at '{}'", delegate.server_name);
      before = &delegate;
    }
  }

  template <class T>
  void check_stream(const T& stream) {
    check_name(stream.name);
    constexpr std::string_view kPrefix = std::same_as<T, Stream> ? "tcp/" : "udp/";
    expect(stream.name.starts_with(kPrefix), "name: expected to start with {}, got '{}'", kPrefix,
           stream.name);
    expect(stream.port != 0, "port: expected from 1 to 65535, got 0");
    check_address("address", stream.address);
  }

  template <class... Args>
  void expect(bool holds, fmt::format_string<Args...> format, Args&&... args) {
    if (holds) return;
    reasons_.push_back(fmt::format("{} {}: {}", name_of(key_.kind), key_.name,
                                   fmt::format(format, std::forward<Args>(args)...)));
  }
  void check_name(const std::string& name) {
    expect(name == key_.name, "name: expected '{}', got '{}'", key_.name, name);
  }
  void check_address(std::string_view field, const std::string& address) {
    expect(address.empty() || base::parse_address(address).has_value(),
           "{}: expected an IP address, got '{}'", field, address);
  }
  void check_certificate(const std::string& name) {
    expect(after_.find<Certificate>(PartKind::kCertificate, name) != nullptr,
           "certificate: '{}' is not in the snapshot", name);
  }
  void check_upstream(const std::string& name, bool is_needed) {
    expect(!is_needed || after_.find<Upstream>(PartKind::kUpstream, name) != nullptr,
           "upstream: '{}' is not in the snapshot", name);
  }

  const PartKey& key_;
  const Snapshot& after_;
  std::vector<std::string>& reasons_;
};

}  // namespace

std::vector<std::string> validate(const Update& update, const Snapshot& after) {
  std::vector<std::string> reasons;
  for (const auto& [key, part] : update.parts) {
    if (!part) continue;
    if (part->index() != static_cast<std::size_t>(key.kind)) {
      reasons.push_back(
          fmt::format("{} {}: holds a part of another kind", name_of(key.kind), key.name));
      continue;
    }
    std::visit(Check(key, after, reasons), *part);
  }
  return reasons;
}

}  // namespace penstock::snapshot
