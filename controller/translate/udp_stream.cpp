#include "controller/translate/udp_stream.h"

#include <fmt/format.h>

namespace penstock::translate {
namespace {

using objects::UdpService;
using snapshot::UdpStream;

void add_udp_entry(StreamPort& port, const StreamEntry& entry) {
  auto stream = port.begin<UdpStream>("");
  stream.owner = port.config_map_owner();
  stream.name_space = entry.name_space;
  stream.object = entry.service;
  stream.log_name = port.log_name(entry);
  stream.max_responses = port.input().settings.stream.responses;
  stream.backends.push_back(port.backend_of(entry));
  port.add(snapshot::PartKind::kUdpStream, std::move(stream));
}

void add_listener(StreamPort& port, const UdpService& service,
                  const objects::StreamListener& listener) {
  auto stream = port.begin<UdpStream>(listener.address);
  stream.owner = port.owner(service.meta);
  stream.name_space = service.meta.name_space;
  stream.object = service.meta.name;
  stream.log_name = port.log_name(service.meta);
  stream.access = {service.access.allowed, service.access.denied};
  stream.hash_key = static_cast<snapshot::HashKey>(service.load_balancing.hash_key);
  stream.idle_timeout = service.idle_timeout.value_or(stream.idle_timeout);
  stream.max_responses = service.max_responses.value_or(stream.max_responses);
  stream.max_requests = service.max_requests.value_or(stream.max_requests);
  stream.max_sessions = service.max_sessions.value_or(stream.max_sessions);
  stream.max_sessions_per_address =
      service.max_sessions_per_address.value_or(stream.max_sessions_per_address);
  stream.packets_per_second_per_address =
      service.packets_per_second_per_address.value_or(stream.packets_per_second_per_address);
  stream.log = {service.log.is_enabled, service.log.is_json, service.log.per_million,
                static_cast<snapshot::ErrorLevel>(service.log.errors)};
  const BackendPolicy policy{service.meta, service.load_balancing, service.health};
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    port.add_backend(policy, service.backends[i], fmt::format("/spec/backends/{}", i),
                     stream.backends);
  }
  port.add(snapshot::PartKind::kUdpStream, std::move(stream));
}

}  // namespace

Output translate_udp_stream(StreamInput input, std::uint16_t number) {
  StreamPort port(kUdp, input, number);
  if (const auto* entry = port.claim_for_config_map()) add_udp_entry(port, *entry);
  for (const auto* service : in_order(input.reader.udp_services_of(number), input, number)) {
    for (std::size_t i = 0; i < service->listeners.size(); ++i) {
      const auto& listener = service->listeners[i];
      if (!listener.ports.contains(number)) continue;
      if (port.claim(service->meta, i, listener)) add_listener(port, *service, listener);
    }
  }
  return port.take();
}

}  // namespace penstock::translate
