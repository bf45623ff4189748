#include "controller/translate/port_claims.h"

namespace penstock::translate {
namespace {

std::optional<NameClaim> names_of(const objects::TcpService& service, std::size_t index) {
  return name_claim(service, service.listeners[index]);
}

std::optional<NameClaim> names_of(const objects::UdpService&, std::size_t) { return std::nullopt; }

template <class T>
std::vector<Diagnostic> refusals_of(const Transport& transport, const StreamInput& input,
                                    std::uint16_t port, std::vector<const T*> services,
                                    const T& candidate) {
  std::erase_if(services, [&](const T* each) {
    return each->meta.name_space == candidate.meta.name_space &&
           each->meta.name == candidate.meta.name;
  });
  services.push_back(&candidate);
  StreamPort work(transport, input, port);
  work.claim_for_config_map();
  for (const auto* service : in_order(std::move(services), input, port)) {
    for (std::size_t i = 0; i < service->listeners.size(); ++i) {
      const auto& listener = service->listeners[i];
      if (!listener.ports.contains(port)) continue;
      const auto names = names_of(*service, i);
      work.claim(service->meta, i, listener, names ? &*names : nullptr);
    }
  }
  auto said = work.take().diagnostics;
  const objects::ObjectKey key{transport.object_kind, candidate.meta.name_space,
                               candidate.meta.name};
  std::erase_if(said, [&](const Diagnostic& each) { return each.object != key; });
  return said;
}

}  // namespace

std::vector<Diagnostic> refused_claims(const Transport& transport, StreamInput input,
                                       std::uint16_t port, const objects::TcpService& candidate) {
  return refusals_of(transport, input, port, input.reader.tcp_services_of(port), candidate);
}

std::vector<Diagnostic> refused_claims(const Transport& transport, StreamInput input,
                                       std::uint16_t port, const objects::UdpService& candidate) {
  return refusals_of(transport, input, port, input.reader.udp_services_of(port), candidate);
}

}  // namespace penstock::translate
