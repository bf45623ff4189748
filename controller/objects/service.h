#pragma once
// v1 Service and discovery.k8s.io/v1 EndpointSlice, as written.
#include <cstdint>
#include <string>
#include <vector>

#include "controller/objects/ingress.h"
#include "controller/objects/meta.h"

namespace penstock::objects {

enum class Protocol : std::uint8_t { kTcp, kUdp, kSctp };

struct ServicePort {
  std::string name;
  std::uint16_t number = 0;
  Protocol protocol = Protocol::kTcp;
  PortRef target;  // equals `number` where the manifest does not say
};

/// Of a port that the load balancer does not carry.
struct ServicePortError {
  std::uint16_t number = 0;
  Protocol protocol = Protocol::kTcp;
  std::string error;
};

enum class ServiceType : std::uint8_t { kClusterIp, kNodePort, kLoadBalancer, kExternalName };

struct Service {
  Meta meta;
  ServiceType type = ServiceType::kClusterIp;
  std::string cluster_ip;  // "None" = headless
  std::string external_name;
  std::vector<ServicePort> ports;
  std::vector<std::string> external_ips;
  std::vector<std::string> load_balancer;  // addresses and names of its status
  std::vector<ServicePortError> port_errors;
};

struct SlicePort {
  std::string name;
  std::uint16_t number = 0;  // 0 = every port
  Protocol protocol = Protocol::kTcp;
};

struct SliceEndpoint {
  std::vector<std::string> addresses;
  bool is_ready = true;            // absent counts as ready
  std::vector<std::string> zones;  // hints.forZones: whose clients it is meant for
};

struct EndpointSlice {
  Meta meta;
  std::string service;           // label kubernetes.io/service-name
  bool has_ip_addresses = true;  // addressType IPv4 or IPv6
  std::vector<SlicePort> ports;
  std::vector<SliceEndpoint> endpoints;
};

}  // namespace penstock::objects
