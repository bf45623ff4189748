#include "controller/translate/tcp_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "controller/translate/stream_tls.h"

namespace penstock::translate {
namespace {

using objects::TcpListener;
using objects::TcpService;
using snapshot::Stream;

Stream make(const StreamPort& port, const std::string& address) {
  auto stream = port.begin<Stream>(address);
  stream.retry_timeout = port.input().settings.stream.retry_timeout;
  return stream;
}

void add_tcp_entry(StreamPort& port, const StreamEntry& entry) {
  auto stream = make(port, "");
  stream.owner = port.config_map_owner();
  stream.name_space = entry.name_space;
  stream.object = entry.service;
  stream.log_name = port.log_name(entry);
  stream.proxy_protocol =
      entry.decodes_proxy ? snapshot::ProxyProtocolIn::kRequired : snapshot::ProxyProtocolIn::kOff;
  auto backend = port.backend_of(entry);
  if (entry.encodes_proxy) backend.proxy_protocol = snapshot::ProxyProtocolOut::kV1;
  stream.rules.push_back({{}, {std::move(backend)}});
  port.add(snapshot::PartKind::kStream, std::move(stream));
}

snapshot::StreamDrain drain_of(const objects::TcpDrain& from) {
  return {static_cast<snapshot::EndpointRemoval>(from.on_endpoint_removal),
          from.after.value_or(base::Duration(0)), from.ends_on_change};
}

Stream make_listener(StreamPort& port, const TcpService& service, std::size_t index) {
  const auto& listener = service.listeners[index];
  auto stream = make(port, listener.address);
  stream.owner = port.owner(service.meta);
  stream.name_space = service.meta.name_space;
  stream.object = service.meta.name;
  stream.log_name = port.log_name(service.meta);
  stream.proxy_protocol = static_cast<snapshot::ProxyProtocolIn>(listener.proxy_protocol);
  stream.trusted_proxies = listener.trusted_proxies;
  stream.tls =
      listener_tls(port, service.meta, listener.tls, fmt::format("/spec/listeners/{}", index));
  stream.access = {service.access.allowed, service.access.denied};
  stream.hash_key = static_cast<snapshot::HashKey>(service.load_balancing.hash_key);
  stream.connect_timeout = service.connect_timeout.value_or(stream.connect_timeout);
  stream.idle_timeout = service.idle_timeout.value_or(stream.idle_timeout);
  const base::Duration none{0};
  stream.client_idle_timeout = service.client_idle_timeout.value_or(none);
  stream.upstream_idle_timeout = service.upstream_idle_timeout.value_or(none);
  stream.half_close_timeout = service.half_close_timeout.value_or(none);
  stream.tries = service.attempts.value_or(stream.tries);
  stream.retry_timeout = service.retry_timeout.value_or(stream.retry_timeout);
  stream.longest_session = service.max_session.value_or(stream.longest_session);
  stream.limits = {service.connections, service.connections_per_address, service.new_per_second,
                   service.new_per_second_per_address};
  stream.bandwidth = {service.download_rate, service.upload_rate};
  stream.drain = drain_of(service.drain);
  stream.keepalive.idle = service.keepalive_idle.value_or(stream.keepalive.idle);
  stream.keepalive.interval = service.keepalive_interval.value_or(stream.keepalive.interval);
  stream.keepalive.probes = service.keepalive_probes.value_or(stream.keepalive.probes);
  stream.log = {service.log.is_enabled, service.log.is_json, service.log.per_million,
                static_cast<snapshot::ErrorLevel>(service.log.errors)};
  const BackendPolicy policy{service.meta, service.load_balancing, service.health};
  for (std::size_t i = 0; i < service.rules.size(); ++i) {
    const auto& from = service.rules[i];
    snapshot::StreamRule rule{from.source_networks, {}, from.server_names, from.protocols};
    for (std::size_t j = 0; j < from.backends.size(); ++j) {
      port.add_backend(policy, from.backends[j], fmt::format("/spec/rules/{}/backends/{}", i, j),
                       rule.backends);
    }
    stream.rules.push_back(std::move(rule));
  }
  return stream;
}

/// The ports, one at each address, whose connections go to others by name.
class SharedPorts {
 public:
  explicit SharedPorts(StreamPort& port) : port_(port) {}

  /// A stream with its own name, whoever else comes to the port or leaves it: its sessions, limits
  /// and contexts of TLS are tied to that.
  void add(Stream stream, const NameClaim& claim) {
    if (port_.is_https()) stream.address.clear();
    auto& shared = shared_for(stream);
    stream.name = fmt::format("{}/{}/{}", shared.name, stream.name_space, stream.object);
    stream.entrance = snapshot::StreamEntrance::kNames;
    stream.proxy_protocol = snapshot::ProxyProtocolIn::kOff;
    stream.trusted_proxies.clear();
    for (const auto& name : claim.names) delegate(shared, name, stream.name);
    port_.add(snapshot::PartKind::kStream, std::move(stream));
  }

  void add_host(const std::string& host) {
    Stream nobody;
    nobody.port = port_.number();
    auto& shared = shared_for(nobody);
    const auto is_host = [&](const auto& each) { return each.server_name == host; };
    if (std::ranges::any_of(shared.delegates, is_host)) return;  // an older TCPService's
    delegate(shared, host, fmt::format("{}/{}", shared.name, host));
  }

  void finish() {
    for (auto& [address, shared] : shared_) {
      std::ranges::sort(shared.delegates, {}, &snapshot::StreamDelegate::server_name);
      port_.add(snapshot::PartKind::kStream, std::move(shared));
    }
  }

 private:
  static void delegate(Stream& shared, const std::string& name, const std::string& stream) {
    shared.delegates.push_back({name, stream});
  }

  /// What comes before a name is read is the same for all; what becomes of connections whose name
  /// nobody has is told in the name of the first.
  Stream& shared_for(const Stream& first) {
    const auto [found, is_new] = shared_.try_emplace(first.address);
    auto& shared = found->second;
    if (!is_new) return shared;
    shared = make(port_, first.address);
    shared.tls.mode = snapshot::StreamTlsMode::kPassthrough;
    if (port_.is_https()) {
      shared.entrance = snapshot::StreamEntrance::kHttps;
      shared.owner = "HTTPS";
      return shared;
    }
    shared.owner = first.owner;
    shared.name_space = first.name_space;
    shared.object = first.object;
    shared.log_name = first.log_name;
    shared.log = first.log;
    shared.proxy_protocol = first.proxy_protocol;
    shared.trusted_proxies = first.trusted_proxies;
    shared.tls.start_tls = first.tls.start_tls;
    return shared;
  }

  StreamPort& port_;
  std::map<std::string, Stream> shared_;  // by address
};

}  // namespace

Output translate_tcp_stream(StreamInput input, std::uint16_t number) {
  StreamPort port(kTcp, input, number);
  SharedPorts shared(port);
  if (const auto* entry = port.claim_for_config_map()) add_tcp_entry(port, *entry);
  for (const auto* service : in_order(input.reader.tcp_services_of(number), input, number)) {
    for (std::size_t i = 0; i < service->listeners.size(); ++i) {
      const auto& listener = service->listeners[i];
      if (!listener.ports.contains(number)) continue;
      const auto names = name_claim(*service, listener);
      if (!port.claim(service->meta, i, listener, names ? &*names : nullptr)) continue;
      auto stream = make_listener(port, *service, i);
      if (names) {
        shared.add(std::move(stream), *names);
      } else {
        port.add(snapshot::PartKind::kStream, std::move(stream));
      }
    }
  }
  if (port.is_https() && input.passed_hosts != nullptr) {
    for (const auto& host : *input.passed_hosts) shared.add_host(host);
  }
  shared.finish();
  return port.take();
}

}  // namespace penstock::translate
