#pragma once
// penstock.dev/v1alpha1 StreamPortPolicy: which namespaces may open which ports by TCPServices and
// UDPServices (crds/streamportpolicies.yaml describes every field).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/label_selector.h"
#include "controller/objects/service.h"
#include "controller/objects/stream_fields.h"

namespace penstock::objects {

struct PolicyPorts {
  PortRange range;
  std::optional<Protocol> protocol;  // absent: both
};

struct StreamPortPolicy {
  Meta meta;
  std::optional<std::string> class_name;  // absent: of every class
  std::vector<PolicyPorts> ports;
  std::optional<LabelSelector> namespaces;  // absent: all of them
  bool allows_privileged = false;           // ports below 1024
  bool gives_any_port = false;              // to a listener that names none (autoAllocate)
  std::uint32_t most_ports = 0;  // of one namespace (maxListenersPerNamespace); 0 = no limit

  /// Whether the ports of the policy have this one.
  bool has(Protocol protocol, std::uint16_t port) const;
};

}  // namespace penstock::objects
