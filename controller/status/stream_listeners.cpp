#include "controller/status/stream_listeners.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/status/port_plan.h"
#include "controller/translate/class_selection.h"
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

bool is_lost(const std::vector<translate::Diagnostic>& diagnostics, std::size_t listener) {
  using enum translate::Reason;
  return std::ranges::any_of(diagnostics, [&](const translate::Diagnostic& each) {
    const bool is_refused = translate::is_conflict(each.reason) || each.reason == kPortReserved ||
                            each.reason == kPortNotAllowed;
    return is_refused && is_about(each, listener);
  });
}

/// Somebody asks for the port who may have it: of our class, and allowed by the policies.
template <class T>
bool is_asked_for(translate::Reader& reader, const translate::Translator& translator,
                  const translate::Transport& transport, std::uint16_t port,
                  const std::vector<const T*>& services) {
  const auto& options = translator.options();
  return std::ranges::any_of(services, [&](const T* each) {
    const translate::PortRequest request{transport.protocol, port, each->meta.name_space,
                                         transport.config_map, &translator.surpluses()};
    return translate::is_ours(reader, *each, options) &&
           translate::refused_because(reader, options, request).empty();
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
    const bool has_one = listener.ports.first != 0;
    if (has_one && !is_lost(diagnostics, i)) continue;
    if (given_.size() >= kMostGiven) given_.clear();
    const auto port = find_free(world, translator, transport, service.meta, listener.name);
    if (port && *port != 0) given_[key] = {service.meta.name_space, transport.protocol, *port};
    if (has_one || !port || *port != 0) continue;
    diagnostics.push_back({{transport.object_kind, service.meta.name_space, service.meta.name},
                           fmt::format("/spec/listeners/{}/port", i),
                           fmt::format("expected a free {} port in a StreamPortPolicy with "
                                       "autoAllocate, all are taken or the namespace has as many "
                                       "as it may",
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
  asked_.clear();
  exhausted_.clear();
}

std::uint16_t Allocations::port_of(const std::string& uid,
                                   const objects::StreamListener& listener) const {
  if (!listener.takes_any_port) return 0;
  const auto found = given_.find({uid, listener.name});
  return found == given_.end() ? listener.ports.first : found->second.port;
}

std::set<std::uint16_t> Allocations::given(objects::Protocol protocol) const {
  std::set<std::uint16_t> out;
  for (const auto& [listener, each] : given_) {
    if (each.protocol == protocol) out.insert(each.port);
  }
  return out;
}

bool Allocations::is_full(translate::Reader& reader, const translate::Options& options,
                          const objects::StreamPortPolicy& policy, const std::string& name_space) {
  if (policy.most_ports == 0) return false;
  const auto [asked, is_new] = asked_.try_emplace({policy.meta.name, name_space}, 0);
  if (is_new) {
    asked->second = translate::ports_asked_of(reader, options, policy, name_space);
  }
  const auto coming = std::ranges::count_if(given_, [&](const auto& each) {
    return each.second.name_space == name_space &&
           policy.has(each.second.protocol, each.second.port);
  });
  return asked->second + static_cast<std::size_t>(coming) >= policy.most_ports;
}

/// Each object begins to look elsewhere, so that a port that was given up is not another's at once.
std::optional<std::uint16_t> Allocations::find_free(const world::World& world,
                                                    const translate::Translator& translator,
                                                    const translate::Transport& transport,
                                                    const objects::Meta& meta,
                                                    const std::string& listener) {
  if (exhausted_.contains({transport.protocol, meta.name_space})) return 0;
  const auto& options = translator.options();
  const bool is_tcp = transport.protocol == objects::Protocol::kTcp;
  const auto& map = is_tcp ? translator.tcp_map() : translator.udp_map();
  translate::Reader reader(world, options);
  bool is_given_any = false;
  std::vector<std::uint16_t> candidates;
  for (const auto* policy : translate::policies_for(reader, options, meta.name_space)) {
    if (!translate::gives_any_port(*policy, transport.protocol)) continue;
    is_given_any = true;
    if (is_full(reader, options, *policy, meta.name_space)) continue;
    for (const auto& each : policy->ports) {
      for (int port = each.range.first; port <= each.range.last; ++port) {
        const auto number = static_cast<std::uint16_t>(port);
        if (policy->has(transport.protocol, number)) candidates.push_back(number);
      }
    }
  }
  if (!is_given_any) return std::nullopt;
  std::ranges::sort(candidates);
  const auto repeats = std::ranges::unique(candidates);
  candidates.erase(repeats.begin(), repeats.end());
  const auto gone = given(transport.protocol);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto port = candidates[(hash_of(meta.uid, listener) + i) % candidates.size()];
    const bool is_taken = map.contains(port) || gone.contains(port) ||
                          translate::reserved_for(transport, options, port) != nullptr;
    const bool is_wanted =
        is_tcp ? is_asked_for(reader, translator, transport, port, world.tcp_services_of(port))
               : is_asked_for(reader, translator, transport, port, world.udp_services_of(port));
    if (!is_taken && !is_wanted) return port;
  }
  exhausted_.emplace(transport.protocol, meta.name_space);
  return 0;
}

}  // namespace penstock::status
