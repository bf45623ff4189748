#include "controller/status/port_allocations.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/status/stream_listeners.h"
#include "controller/translate/class_selection.h"
#include "controller/translate/port_permission.h"
#include "proxy/base/text.h"

namespace penstock::status {
namespace {

/// More objects than that ask again.
constexpr std::size_t kMostGiven = 10'000;

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

template <class T>
void PortAllocations::give(const world::World& world, const translate::Translator& translator,
                           const translate::Transport& transport, const T& service,
                           std::vector<translate::Diagnostic>& diagnostics) {
  const auto& uid = service.meta.uid;
  for (std::size_t i = 0; i < service.listeners.size(); ++i) {
    const auto& listener = service.listeners[i];
    const std::pair key{uid, listener.name};
    if (!listener.takes_any_port) {
      given_.erase(key);
      continue;
    }
    seen_.insert(uid);
    if (const auto found = given_.find(key); found != given_.end()) {
      // The watch may still lag behind what was given last.
      if (found->second.port != listener.ports.first) continue;
      given_.erase(found);
    }
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
template void PortAllocations::give(const world::World&, const translate::Translator&,
                                    const translate::Transport&, const objects::TcpService&,
                                    std::vector<translate::Diagnostic>&);
template void PortAllocations::give(const world::World&, const translate::Translator&,
                                    const translate::Transport&, const objects::UdpService&,
                                    std::vector<translate::Diagnostic>&);

void PortAllocations::end_round() {
  std::erase_if(given_, [&](const auto& each) { return !seen_.contains(each.first.first); });
  seen_.clear();
  asked_.clear();
  exhausted_.clear();
}

std::uint16_t PortAllocations::port_of(const std::string& uid,
                                       const objects::StreamListener& listener) const {
  if (!listener.takes_any_port) return 0;
  const auto found = given_.find({uid, listener.name});
  return found == given_.end() ? listener.ports.first : found->second.port;
}

std::set<std::uint16_t> PortAllocations::given(objects::Protocol protocol) const {
  std::set<std::uint16_t> out;
  for (const auto& [listener, each] : given_) {
    if (each.protocol == protocol) out.insert(each.port);
  }
  return out;
}

bool PortAllocations::is_full(translate::Reader& reader, const translate::Options& options,
                              const objects::StreamPortPolicy& policy,
                              const std::string& name_space) {
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
std::optional<std::uint16_t> PortAllocations::find_free(const world::World& world,
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
