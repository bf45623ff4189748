#include "controller/translate/tcp_stream.h"

#include <fmt/format.h>

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

void add_entry(StreamPort& port, const StreamEntry& entry) {
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

void add_listener(StreamPort& port, const TcpService& service, std::size_t index) {
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
  stream.log = {service.log.is_enabled, service.log.is_json, service.log.per_million};
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
  port.add(snapshot::PartKind::kStream, std::move(stream));
}

}  // namespace

Output translate_tcp_stream(StreamInput input, std::uint16_t number) {
  StreamPort port(kTcp, input, number);
  if (const auto* entry = port.claim_for_config_map()) add_entry(port, *entry);
  for (const auto* service : in_order(input.reader.tcp_services_of(number), input, number)) {
    for (std::size_t i = 0; i < service->listeners.size(); ++i) {
      const auto& listener = service->listeners[i];
      if (!listener.ports.contains(number)) continue;
      if (port.claim(service->meta, i, listener)) add_listener(port, *service, i);
    }
  }
  return port.take();
}

}  // namespace penstock::translate
