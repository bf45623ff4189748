#pragma once
// Which ports the published Service has, which it should have for our streams, and what is applied
// to it for them. Pure.
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/objects/service.h"
#include "controller/translate/options.h"
#include "controller/world/world.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::status {

/// A port as Services and pods name it.
struct PortKey {
  objects::Protocol protocol = objects::Protocol::kTcp;
  std::uint16_t number = 0;

  auto operator<=>(const PortKey&) const = default;
};

/// "tcp-5432", the name of our entry in the Service.
std::string entry_name(const PortKey& key);
/// "TCP"
std::string_view protocol_name(objects::Protocol protocol);
/// An entry of spec.ports as JSON.
std::string entry_json(const PortKey& key, const objects::PortRef& target);

/// Ports of all streams that are served; true for those of a ConfigMap, which are the operator's.
/// Without those of HTTP and HTTPS, and those that only our own pod can reach.
using HeldPorts = std::map<PortKey, bool>;
HeldPorts held_ports(const std::map<snapshot::PartKey, snapshot::PartPtr>& parts,
                     const translate::Options& options);

/// The entries of a Service by what they lead to. Points into the World.
class ServiceEntries {
 public:
  ServiceEntries() = default;
  ServiceEntries(const world::World& world, const objects::Service& service);

  /// The one that leads to this port of our pod, under the same number where there is one.
  const objects::ServicePort* leading_to(const PortKey& key) const;
  /// The one with this number, wherever it leads.
  const objects::ServicePort* at(const PortKey& key) const;
  /// What the load balancer says of the entry, where it does not carry it.
  std::string error_of(const objects::ServicePort& entry) const;
  bool has_name(const std::string& name) const { return names_.contains(name); }
  /// Those that look like ours.
  std::set<PortKey> ours() const;

 private:
  std::map<PortKey, const objects::ServicePort*> by_target_;
  std::map<PortKey, const objects::ServicePort*> by_number_;
  std::map<PortKey, std::string> errors_;  // by number
  std::set<std::string> names_;
};

/// Why the Service does not get a port: reason and message of a condition.
struct Refusal {
  std::string reason;
  std::string message;

  bool operator==(const Refusal&) const = default;
};
using Refusals = std::map<PortKey, Refusal>;

struct PortEntry {
  PortKey key;
  objects::PortRef target;

  bool operator==(const PortEntry&) const = default;
};

struct PortPlan {
  std::vector<PortEntry> entries;  // those that the Service has come first
  Refusals refusals;
};

/// Entries of one Service, whoever wants them.
constexpr std::size_t kMostServicePorts = 500;

/// What others have in the Service is left alone, whether it leads to us or not.
PortPlan plan_ports(const HeldPorts& held, const ServiceEntries& entries,
                    std::size_t most = kMostServicePorts);

/// The configuration of a server-side apply: all that is ours in the Service, and nothing else. It
/// holds for this Service alone, not for one that has come under its name meanwhile.
std::string apply_json(const objects::Service& service, const std::vector<PortEntry>& entries);

}  // namespace penstock::status
