#include "controller/translate/port_quota.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "controller/translate/class_selection.h"
#include "controller/translate/port_permission.h"
#include "controller/translate/stream_port.h"

namespace penstock::translate {
namespace {

using objects::Protocol;
using PortOfProtocol = std::pair<Protocol, std::uint16_t>;

/// Of an object that asks for a port.
struct Seniority {
  bool has_had_it = false;
  const objects::Meta* meta = nullptr;

  bool goes_before(const Seniority& other) const {
    if (has_had_it != other.has_had_it) return has_had_it;
    return objects::is_older(*meta, *other.meta);
  }
};

class Claims {
 public:
  template <class T>
  void add(Protocol protocol, const T& service) {
    for (const auto port : world::ports_of(service)) {
      const Seniority now{service.status.has_port(port), &service.meta};
      const auto [found, is_first] = claims_.try_emplace({protocol, port}, now);
      if (!is_first && now.goes_before(found->second)) found->second = now;
    }
  }

  std::size_t count_of(const objects::StreamPortPolicy& policy) const {
    return static_cast<std::size_t>(std::ranges::count_if(claims_, [&](const auto& each) {
      return policy.has(each.first.first, each.first.second);
    }));
  }

  /// Those of a policy beyond the first `most`.
  void add_surplus(const objects::StreamPortPolicy& policy, Surplus& out) const {
    std::vector<std::pair<Seniority, PortOfProtocol>> of_policy;
    for (const auto& [port, seniority] : claims_) {
      if (policy.has(port.first, port.second)) of_policy.emplace_back(seniority, port);
    }
    if (of_policy.size() <= policy.most_ports) return;
    std::ranges::sort(of_policy, [](const auto& a, const auto& b) {
      if (a.first.goes_before(b.first)) return true;
      return !b.first.goes_before(a.first) && a.second < b.second;
    });
    for (auto each = of_policy.begin() + policy.most_ports; each != of_policy.end(); ++each) {
      out.emplace(policy.meta.name, each->second.first, each->second.second);
    }
  }

 private:
  std::map<PortOfProtocol, Seniority> claims_;
};

template <class T>
void add_claims(Reader& reader, const Options& options, Protocol protocol,
                std::vector<const T*> services, const T* candidate, Claims& claims) {
  if (candidate != nullptr) {
    std::erase_if(services, [&](const T* each) { return each->meta.name == candidate->meta.name; });
    services.push_back(candidate);
  }
  for (const auto* each : services) {
    if (is_ours(reader, *each, options)) claims.add(protocol, *each);
  }
}

Claims claims_of(Reader& reader, const Options& options, const std::string& name_space,
                 const Candidate& candidate) {
  Claims out;
  add_claims(reader, options, Protocol::kTcp, reader.tcp_services_in(name_space), candidate.tcp,
             out);
  add_claims(reader, options, Protocol::kUdp, reader.udp_services_in(name_space), candidate.udp,
             out);
  return out;
}

/// Names of the policies that give any port of the protocol to the namespace.
std::string givers_of(Reader& reader, const Options& options, Protocol protocol,
                      const std::string& name_space) {
  std::set<std::string> names;
  for (const auto* policy : policies_for(reader, options, name_space)) {
    if (gives_any_port(*policy, protocol)) names.insert(policy->meta.name);
  }
  std::string out;
  for (const auto& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

template <class T>
std::vector<Diagnostic> portless_of(Reader& reader, const Options& options,
                                    const Transport& transport, const T& service) {
  std::vector<Diagnostic> out;
  const auto& meta = service.meta;
  for (std::size_t i = 0; i < service.listeners.size(); ++i) {
    if (service.listeners[i].ports.first != 0) continue;
    const auto givers = givers_of(reader, options, transport.protocol, meta.name_space);
    auto& said = out.emplace_back();
    said.object = {transport.object_kind, meta.name_space, meta.name};
    said.field = fmt::format("/spec/listeners/{}/port", i);
    if (givers.empty()) {
      said.message = fmt::format(
          "expected a port, got 0, and no StreamPortPolicy with autoAllocate has {} ports for the "
          "namespace {}",
          transport.name, meta.name_space);
      said.reason = Reason::kPortNotAllowed;
    } else {
      said.message =
          "has no port yet: the replica that leads gives it one of StreamPortPolicy " + givers;
      said.reason = Reason::kPortPending;
    }
  }
  return out;
}

}  // namespace

Surplus surplus_of(Reader& reader, const Options& options, const std::string& name_space,
                   const Candidate& candidate) {
  Surplus out;
  std::optional<Claims> claims;
  for (const auto* policy : policies_for(reader, options, name_space)) {
    if (policy->most_ports == 0) continue;
    if (!claims) claims = claims_of(reader, options, name_space, candidate);
    claims->add_surplus(*policy, out);
  }
  return out;
}

std::size_t ports_asked_of(Reader& reader, const Options& options,
                           const objects::StreamPortPolicy& policy, const std::string& name_space) {
  return claims_of(reader, options, name_space, {}).count_of(policy);
}

std::vector<Diagnostic> portless(Reader& reader, const Options& options,
                                 const objects::TcpService& service) {
  return portless_of(reader, options, kTcp, service);
}
std::vector<Diagnostic> portless(Reader& reader, const Options& options,
                                 const objects::UdpService& service) {
  return portless_of(reader, options, kUdp, service);
}

}  // namespace penstock::translate
