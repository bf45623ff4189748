#pragma once
// Whether clients from outside reach the ports of a TCPService or UDPService: the condition
// Exposed. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/stream_status.h"
#include "controller/status/ingress_status.h"
#include "controller/status/own_pod.h"
#include "controller/status/port_plan.h"

namespace penstock::status {

/// The reason of Exposed while a port is being written into the Service.
inline constexpr std::string_view kServicePortPending = "ServicePortPending";

/// What leads clients to us. Points into the World.
struct Exposure {
  std::string service_path;  // that is published; empty: the pod's own ports count
  const objects::Service* service = nullptr;
  ServiceEntries entries;
  HeldPorts written;  // what we write into the Service
  Refusals refusals;  // of it
  bool is_pod_unread = false;
  std::optional<PodPorts> pod;
  std::optional<Addresses> addresses;  // nothing: not known yet
};

/// Nothing where nothing is known.
std::optional<objects::Condition> exposed(const Exposure& exposure, objects::Protocol protocol,
                                          const std::vector<std::uint16_t>& ports);
/// Addresses and names as the status has them; a few at most.
std::vector<objects::StreamAddress> stream_addresses(const Addresses& addresses);
/// What adds ports to the Service by hand; of many, the first few.
std::string patch_command(const objects::Service& service, const std::vector<PortKey>& keys);

}  // namespace penstock::status
