#include "controller/status/stream_listeners.h"

#include <fmt/format.h>

#include "controller/status/port_plan.h"

namespace penstock::status {
namespace {

/// HTTPS has its port at every address, whatever a listener that has names of it says.
bool holds(const PortsAtAddress& held, std::uint16_t port, const std::string& address,
           bool is_https) {
  return held.contains({port, address}) || (is_https && held.contains({port, ""}));
}

/// "tcp/5432": what problems of opening it begin with.
bool is_about(const std::string& problem, const translate::Transport& transport, std::uint16_t port,
              const std::string& address) {
  const auto at = address.empty() ? fmt::format("{}", port) : fmt::format("{}:{}", address, port);
  return problem.starts_with(fmt::format("cannot open {}/{}:", transport.prefix, at)) ||
         problem.starts_with(fmt::format("cannot open {}/{}/", transport.prefix, at));
}

}  // namespace

bool is_about(const translate::Diagnostic& diagnostic, std::size_t listener) {
  return diagnostic.field.starts_with(fmt::format("/spec/listeners/{}/", listener));
}

HeldByOwner held_by_owner(const std::map<snapshot::PartKey, snapshot::PartPtr>& parts) {
  HeldByOwner out;
  for (auto each = parts.lower_bound({snapshot::PartKind::kStream, ""}); each != parts.end();
       ++each) {
    if (const auto* tcp = std::get_if<snapshot::Stream>(each->second.get())) {
      out[tcp->owner].emplace(tcp->port, tcp->address);
    } else if (const auto* udp = std::get_if<snapshot::UdpStream>(each->second.get())) {
      out[udp->owner].emplace(udp->port, udp->address);
    }
  }
  return out;
}

std::vector<std::uint16_t> ports_of(const PortsAtAddress& held) {
  std::vector<std::uint16_t> out;
  for (const auto& [port, address] : held) {
    if (out.empty() || out.back() != port) out.push_back(port);
  }
  return out;
}

template <class T>
std::vector<ListenerView> listener_views(const translate::Transport& transport,
                                         const translate::Options& options, const T& service,
                                         const PortsAtAddress& held, const StreamView& view) {
  std::vector<ListenerView> out;
  for (std::size_t i = 0; i < service.listeners.size(); ++i) {
    const auto& listener = service.listeners[i];
    ListenerView now;
    now.name = listener.name;
    now.protocol = protocol_name(transport.protocol);
    for (int port = listener.ports.first; port != 0 && port <= listener.ports.last; ++port) {
      const auto number = static_cast<std::uint16_t>(port);
      const bool is_https =
          transport.protocol == objects::Protocol::kTcp && number == options.https_port;
      if (!holds(held, number, listener.address, is_https)) continue;
      now.ports.push_back(number);
      for (const auto& each : view.bind_problems) {
        if (is_about(each, transport, number, listener.address)) now.bind_problem = each;
      }
    }
    for (const auto& each : view.diagnostics) {
      if (is_about(each, i)) now.diagnostics.push_back(each);
    }
    out.push_back(std::move(now));
  }
  return out;
}
template std::vector<ListenerView> listener_views(const translate::Transport&,
                                                  const translate::Options&,
                                                  const objects::TcpService&, const PortsAtAddress&,
                                                  const StreamView&);
template std::vector<ListenerView> listener_views(const translate::Transport&,
                                                  const translate::Options&,
                                                  const objects::UdpService&, const PortsAtAddress&,
                                                  const StreamView&);

}  // namespace penstock::status
