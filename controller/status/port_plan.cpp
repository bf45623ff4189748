#include "controller/status/port_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/status/json_text.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::status {
namespace {

using objects::Protocol;
using objects::ServicePort;

/// A listener on loopback is for nobody outside of the pod.
bool is_loopback(const std::string& address) {
  const auto parsed = base::parse_address(address);
  return parsed && parsed->is_loopback();
}

template <class T>
void add_held(const T& stream, Protocol protocol, HeldPorts& out) {
  if (is_loopback(stream.address)) return;
  out[{protocol, stream.port}] |= stream.owner.starts_with("ConfigMap ");
}

/// Nothing where the port has a name that no container of the endpoints has.
std::uint16_t target_of(const std::vector<const objects::EndpointSlice*>& slices,
                        const ServicePort& port) {
  if (port.target.name.empty()) return port.target.number;
  bool has_endpoints = false;
  for (const auto* slice : slices) {
    has_endpoints |= !slice->endpoints.empty();
    for (const auto& each : slice->ports) {
      if (each.name == port.name && each.protocol == port.protocol) return each.number;
    }
  }
  // Before the first pod nothing tells of the name.
  return has_endpoints ? 0 : port.number;
}

bool is_ours(const ServicePort& port) {
  return port.name == entry_name({port.protocol, port.number});
}

std::string text_of(const PortKey& key) {
  return fmt::format("{}/{}", protocol_name(key.protocol), key.number);
}

}  // namespace

std::string entry_name(const PortKey& key) {
  return fmt::format("{}-{}", base::to_lower(protocol_name(key.protocol)), key.number);
}

std::string_view protocol_name(Protocol protocol) {
  if (protocol == Protocol::kSctp) return "SCTP";
  return protocol == Protocol::kUdp ? "UDP" : "TCP";
}

std::string entry_json(const PortKey& key, const objects::PortRef& target) {
  return fmt::format(
      R"({{"name":"{}","port":{},"protocol":"{}","targetPort":{}}})", entry_name(key), key.number,
      protocol_name(key.protocol),
      target.name.empty() ? std::to_string(target.number) : json_string(target.name));
}

HeldPorts held_ports(const std::map<snapshot::PartKey, snapshot::PartPtr>& parts,
                     const translate::Options& options) {
  HeldPorts out;
  for (auto each = parts.lower_bound({snapshot::PartKind::kStream, ""}); each != parts.end();
       ++each) {
    if (const auto* tcp = std::get_if<snapshot::Stream>(each->second.get())) {
      add_held(*tcp, Protocol::kTcp, out);
    } else if (const auto* udp = std::get_if<snapshot::UdpStream>(each->second.get())) {
      add_held(*udp, Protocol::kUdp, out);
    }
  }
  out.erase({Protocol::kTcp, options.http_port});
  out.erase({Protocol::kTcp, options.https_port});
  return out;
}

ServiceEntries::ServiceEntries(const world::World& world, const objects::Service& service) {
  const auto slices = world.slices_of(service.meta.name_space + "/" + service.meta.name);
  for (const auto& each : service.port_errors) {
    errors_[{each.protocol, each.number}] = each.error;
  }
  for (const auto& port : service.ports) {
    by_number_[{port.protocol, port.number}] = &port;
    if (!port.name.empty()) names_.insert(port.name);
    const auto target = target_of(slices, port);
    auto& known = by_target_[{port.protocol, target}];
    if (known == nullptr || port.number == target) known = &port;
  }
}

const ServicePort* ServiceEntries::leading_to(const PortKey& key) const {
  const auto found = by_target_.find(key);
  return found == by_target_.end() ? nullptr : found->second;
}

const ServicePort* ServiceEntries::at(const PortKey& key) const {
  const auto found = by_number_.find(key);
  return found == by_number_.end() ? nullptr : found->second;
}

std::string ServiceEntries::error_of(const ServicePort& entry) const {
  const auto found = errors_.find({entry.protocol, entry.number});
  return found == errors_.end() ? "" : found->second;
}

std::set<PortKey> ServiceEntries::ours() const {
  std::set<PortKey> out;
  for (const auto& [key, port] : by_number_) {
    if (is_ours(*port)) out.insert(key);
  }
  return out;
}

PortPlan plan_ports(const HeldPorts& held, const ServiceEntries& entries, std::size_t most) {
  PortPlan plan;
  std::vector<PortKey> fresh;
  for (const auto& [key, is_operators] : held) {
    const auto* there = entries.at(key);
    if (there != nullptr && is_ours(*there)) {
      // As it is, also where somebody has changed it: a part of it cannot be let go of.
      plan.entries.push_back({key, there->target});
    } else if (entries.leading_to(key) == nullptr) {
      const auto name = entry_name(key);
      if (there != nullptr) {
        plan.refusals[key] = {"ServicePortTaken",
                              fmt::format("{} of the Service is '{}' and leads to port {}",
                                          text_of(key), there->name, there->target.text())};
      } else if (entries.has_name(name)) {
        plan.refusals[key] = {"ServicePortTaken",
                              fmt::format("another port of the Service is named {}", name)};
      } else {
        fresh.push_back(key);
      }
    }
  }
  // What an operator asks for comes first.
  std::ranges::sort(fresh, {},
                    [&](const PortKey& key) { return std::pair(!held.at(key), key); });
  for (const auto& key : fresh) {
    if (plan.entries.size() < most) {
      plan.entries.push_back({key, {key.number, {}}});
    } else {
      plan.refusals[key] = {"ServicePortLimit",
                            fmt::format("the Service has {} ports of streams, the most", most)};
    }
  }
  return plan;
}

std::string apply_json(const objects::Service& service, const std::vector<PortEntry>& entries) {
  std::string ports;
  for (const auto& each : entries) {
    ports.append(ports.empty() ? "" : ",").append(entry_json(each.key, each.target));
  }
  // An empty list would be owned as a whole.
  const auto spec = ports.empty() ? "" : fmt::format(R"(,"spec":{{"ports":[{}]}})", ports);
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Service","metadata":{{"namespace":{},"name":{},"uid":{}}}{}}})",
      json_string(service.meta.name_space), json_string(service.meta.name),
      json_string(service.meta.uid), spec);
}

}  // namespace penstock::status
