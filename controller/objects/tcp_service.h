#pragma once
// penstock.dev/v1alpha1 TCPService: TCP ports of the proxy and where their connections go
// (crds/tcpservices.yaml describes every field).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/stream_balancing.h"
#include "controller/objects/stream_fields.h"
#include "controller/objects/stream_health.h"
#include "controller/objects/stream_status.h"
#include "controller/objects/tcp_tls.h"

namespace penstock::objects {

enum class ProxyProtocolMode : std::uint8_t { kOff, kOptional, kRequired };

struct TcpListener : StreamListener {
  ProxyProtocolMode proxy_protocol = ProxyProtocolMode::kOff;
  std::vector<base::IpNet> trusted_proxies;
  ListenerTls tls;
};

struct TcpRule {
  std::vector<base::IpNet> source_networks;  // empty = every client
  std::vector<std::string> server_names;     // empty = any; sorted
  std::vector<std::string> protocols;        // ALPN; empty = any
  std::vector<StreamBackend> backends;
};

enum class EndpointRemoval : std::uint8_t { kKeep, kClose, kCloseAfter };

struct TcpDrain {
  EndpointRemoval on_endpoint_removal = EndpointRemoval::kKeep;
  std::optional<base::Duration> after;
  bool ends_on_change = false;
};

/// What is absent takes the default of the proxy-stream-* keys.
struct TcpService {
  Meta meta;
  std::optional<std::string> class_name;
  std::vector<TcpListener> listeners;
  std::vector<TcpRule> rules;
  StreamBalancing load_balancing;
  StreamHealth health;
  std::optional<base::Duration> connect_timeout;
  std::optional<base::Duration> idle_timeout;
  std::optional<base::Duration> client_idle_timeout;
  std::optional<base::Duration> upstream_idle_timeout;
  std::optional<base::Duration> half_close_timeout;
  std::optional<std::uint32_t> attempts;
  std::optional<base::Duration> retry_timeout;
  StreamAccess access;
  std::optional<base::Duration> max_session;
  std::uint32_t connections = 0;  // 0 = no limit, as in the next three
  std::uint32_t connections_per_address = 0;
  std::uint32_t new_per_second = 0;
  std::uint32_t new_per_second_per_address = 0;
  std::uint32_t download_rate = 0;  // bytes a second of one session; 0 = no limit
  std::uint32_t upload_rate = 0;
  TcpDrain drain;
  std::optional<base::Duration> keepalive_idle;
  std::optional<base::Duration> keepalive_interval;
  std::optional<std::uint32_t> keepalive_probes;
  StreamLogSettings log;
  StreamStatus status;
};

}  // namespace penstock::objects
