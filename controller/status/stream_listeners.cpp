#include "controller/status/stream_listeners.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/status/port_plan.h"
#include "controller/translate/port_permission.h"
#include "proxy/base/text.h"

namespace penstock::status {
namespace {

/// More objects than that ask again.
constexpr std::size_t kMostGiven = 10'000;

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

bool is_about(const translate::Diagnostic& diagnostic, std::size_t listener) {
  return diagnostic.field.starts_with(fmt::format("/spec/listeners/{}/", listener));
}

std::size_t hash_of(const std::string& uid, const std::string& listener) {
  return static_cast<std::size_t>(base::fnv1a(listener, base::fnv1a(uid)));
}

bool is_taken_from(const std::vector<translate::Diagnostic>& diagnostics, std::size_t listener) {
  return std::ranges::any_of(diagnostics, [&](const translate::Diagnostic& each) {
    const bool is_lost =
        translate::is_conflict(each.reason) || each.reason == translate::Reason::kPortReserved;
    return is_lost && is_about(each, listener);
  });
}

}  // namespace

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

template <class T>
void Allocations::give(const world::World& world, const translate::Translator& translator,
                       const translate::Transport& transport, const T& service,
                       std::vector<translate::Diagnostic>& diagnostics) {
  const auto& uid = service.meta.uid;
  seen_.insert(uid);
  for (std::size_t i = 0; i < service.listeners.size(); ++i) {
    const auto& listener = service.listeners[i];
    const std::pair key{uid, listener.name};
    const auto found = given_.find(key);
    // The watch may still lag behind what was given last.
    const bool is_known = found != given_.end() && found->second.port == listener.ports.first;
    if (is_known || !listener.takes_any_port) given_.erase(key);
    if (!listener.takes_any_port || (found != given_.end() && !is_known)) continue;
    if (listener.ports.first != 0 && !is_taken_from(diagnostics, i)) continue;
    if (given_.size() >= kMostGiven) given_.clear();
    const auto port = find_free(world, translator, transport, service.meta, listener.name);
    if (port && *port != 0) given_[key] = {transport.protocol, *port};
    if (!port || *port != 0) continue;
    diagnostics.push_back({{transport.object_kind, service.meta.name_space, service.meta.name},
                           fmt::format("/spec/listeners/{}/port", i),
                           fmt::format("expected a free {} port in a StreamPortPolicy with "
                                       "autoAllocate, all are taken",
                                       transport.name),
                           translate::Reason::kPortNotAllowed});
  }
}
template void Allocations::give(const world::World&, const translate::Translator&,
                                const translate::Transport&, const objects::TcpService&,
                                std::vector<translate::Diagnostic>&);
template void Allocations::give(const world::World&, const translate::Translator&,
                                const translate::Transport&, const objects::UdpService&,
                                std::vector<translate::Diagnostic>&);

void Allocations::end_round() {
  std::erase_if(given_, [&](const auto& each) { return !seen_.contains(each.first.first); });
  seen_.clear();
}

std::uint16_t Allocations::port_of(const std::string& uid,
                                   const objects::StreamListener& listener) const {
  if (!listener.takes_any_port) return 0;
  const auto found = given_.find({uid, listener.name});
  return found == given_.end() ? listener.ports.first : found->second.port;
}

bool Allocations::is_given(objects::Protocol protocol, std::uint16_t port) const {
  return std::ranges::any_of(given_, [&](const auto& each) {
    return each.second.protocol == protocol && each.second.port == port;
  });
}

/// Each object begins to look elsewhere, so that a port that was given up is not another's at once.
std::optional<std::uint16_t> Allocations::find_free(const world::World& world,
                                                    const translate::Translator& translator,
                                                    const translate::Transport& transport,
                                                    const objects::Meta& meta,
                                                    const std::string& listener) const {
  const auto& options = translator.options();
  const bool is_tcp = transport.protocol == objects::Protocol::kTcp;
  const auto& map = is_tcp ? translator.tcp_map() : translator.udp_map();
  translate::Reader reader(world, options);
  std::vector<std::uint16_t> candidates;
  for (const auto* policy : translate::policies_for(reader, options, meta.name_space)) {
    if (!translate::gives_any_port(*policy, transport.protocol)) continue;
    for (const auto& each : policy->ports) {
      for (int port = each.range.first; port <= each.range.last; ++port) {
        const auto number = static_cast<std::uint16_t>(port);
        if (policy->has(transport.protocol, number)) candidates.push_back(number);
      }
    }
  }
  if (candidates.empty()) return std::nullopt;
  std::ranges::sort(candidates);
  const auto repeats = std::ranges::unique(candidates);
  candidates.erase(repeats.begin(), repeats.end());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto port = candidates[(hash_of(meta.uid, listener) + i) % candidates.size()];
    const bool is_wanted =
        is_tcp ? !world.tcp_services_of(port).empty() : !world.udp_services_of(port).empty();
    const bool is_taken = is_wanted || map.contains(port) || is_given(transport.protocol, port) ||
                          translate::reserved_for(transport, options, port) != nullptr;
    if (!is_taken) return port;
  }
  return 0;
}

}  // namespace penstock::status
