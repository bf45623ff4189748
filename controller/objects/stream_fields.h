#pragma once
// What TCPService and UDPService have in common: listeners, backends and how they are written.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/ingress.h"
#include "controller/objects/json.h"
#include "controller/objects/stream_status.h"
#include "controller/objects/tcp_tls.h"
#include "proxy/base/duration.h"
#include "proxy/base/ip_net.h"

namespace penstock::objects {

enum class ProxyProtocolVersion : std::uint8_t { kNone, kV1, kV2 };

inline constexpr std::size_t kLongestName = 253;

/// One port, or several that follow each other.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool contains(std::uint16_t port) const { return first <= port && port <= last; }
};

struct StreamListener {
  std::string name;
  PortRange ports;              // of one that takes any: the port that it was given, 0 before
  bool takes_any_port = false;  // port: 0
  std::string address;          // canonical; empty = all
};

/// What DNS is asked for the name of a host.
enum class HostRecords : std::uint8_t { kAuto, kA, kAaaa, kSrv };

/// One of a Service and a host.
struct StreamBackend {
  std::string service;
  std::string name_space;  // of the service; empty = that of the object
  std::string host;
  HostRecords records = HostRecords::kAuto;  // of the host; with SRV it brings its ports
  PortRef port;
  std::uint32_t weight = 1;
  bool is_backup = false;
  std::uint32_t max_connections = 0;
  ProxyProtocolVersion proxy_protocol = ProxyProtocolVersion::kNone;
  BackendTls tls;  // of TCP
};

struct StreamAccess {
  std::vector<base::IpNet> allowed;  // empty = everybody
  std::vector<base::IpNet> denied;
};

enum class ErrorLogLevel : std::uint8_t { kProcess, kInfo, kWarn, kError, kOff };

struct StreamLogSettings {
  bool is_enabled = true;
  bool is_json = false;
  std::uint32_t per_million = 1'000'000;
  ErrorLogLevel errors = ErrorLogLevel::kProcess;  // absent: that of the proxy
};

// --- how they are read; what is wrong is remembered by the Json

/// At most so many, sorted.
std::vector<base::IpNet> parse_networks(const Json& json, std::string_view key, std::size_t most);
std::optional<base::Duration> parse_duration(const Json& json, std::string_view key);
std::optional<std::uint32_t> parse_count(const Json& json, std::string_view key, std::int64_t low,
                                         std::int64_t high);
/// name, port or portRange, address.
void parse_stream_listener(const Json& json, StreamListener& listener);
/// A listener that takes any port has the one that its status tells.
template <class Listener>
void take_allocated_ports(std::vector<Listener>& listeners, const StreamStatus& status) {
  for (auto& listener : listeners) {
    if (!listener.takes_any_port) continue;
    const auto* stands = status.find_listener(listener.name);
    const std::uint16_t port = stands == nullptr ? 0 : stands->allocated_port;
    listener.ports = {port, port};
  }
}
/// Each name once, and each port of an address once.
void check_listeners(const Json& spec, const std::vector<const StreamListener*>& listeners);
template <class Listener>
void check_listeners(const Json& spec, const std::vector<Listener>& listeners) {
  std::vector<const StreamListener*> each;
  for (const auto& listener : listeners) each.push_back(&listener);
  check_listeners(spec, each);
}
/// service or host, weight, backup, maxConnections. The PROXY header is left to the caller: UDP has
/// no version 1.
StreamBackend parse_stream_backend(const Json& json);
/// At most 16, of which one must take something and one must not be a backup.
void check_backends(const Json& json, const std::vector<StreamBackend>& backends);
StreamAccess parse_stream_access(const Json& spec);
/// accessLog and errorLog.
StreamLogSettings parse_logs(const Json& spec);

}  // namespace penstock::objects
