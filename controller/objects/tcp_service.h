#pragma once
// penstock.dev/v1alpha1 TCPService: TCP ports of the proxy and where their connections go
// (crds/tcpservices.yaml describes every field).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/ingress.h"
#include "proxy/base/duration.h"
#include "proxy/base/ip_net.h"

namespace penstock::objects {

enum class ProxyProtocolMode : std::uint8_t { kOff, kOptional, kRequired };
enum class ProxyProtocolVersion : std::uint8_t { kNone, kV1, kV2 };
enum class LoadBalancing : std::uint8_t {
  kRoundRobin,
  kLeastConnections,
  kRandom2,
  kLeastTime,
  kSourceIpHash,
  kHash,
};

struct TcpListener {
  std::string name;
  std::uint16_t port = 0;
  std::string address;  // canonical; empty = all
  ProxyProtocolMode proxy_protocol = ProxyProtocolMode::kOff;
  std::vector<base::IpNet> trusted_proxies;
};

/// One of a Service and a host.
struct TcpBackend {
  std::string service;
  std::string name_space;  // of the service; empty = that of the object
  std::string host;
  PortRef port;
  std::uint32_t weight = 1;
  ProxyProtocolVersion proxy_protocol = ProxyProtocolVersion::kNone;
};

struct TcpRule {
  std::vector<base::IpNet> source_networks;  // empty = every client
  std::vector<TcpBackend> backends;
};

/// What is absent takes the default of the proxy-stream-* keys.
struct TcpService {
  Meta meta;
  std::optional<std::string> class_name;
  std::vector<TcpListener> listeners;
  std::vector<TcpRule> rules;
  LoadBalancing load_balancing = LoadBalancing::kRoundRobin;
  std::uint32_t max_fails = 1;
  base::Duration fail_timeout{10'000};
  std::optional<base::Duration> connect_timeout;
  std::optional<base::Duration> idle_timeout;
  std::optional<std::uint32_t> attempts;
  std::optional<base::Duration> retry_timeout;
  std::vector<base::IpNet> allowed;
  std::vector<base::IpNet> denied;
  bool is_logged = true;
};

}  // namespace penstock::objects
