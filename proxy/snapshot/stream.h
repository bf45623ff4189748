#pragma once
// A TCP port: what is accepted, who may come, where it goes (nginx stream module).
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"
#include "proxy/snapshot/policy/balancing.h"
#include "proxy/snapshot/policy/bandwidth.h"
#include "proxy/snapshot/policy/connection_limits.h"
#include "proxy/snapshot/policy/ip_access.h"
#include "proxy/snapshot/policy/stream_drain.h"
#include "proxy/snapshot/policy/stream_log.h"
#include "proxy/snapshot/policy/tcp_keepalive.h"
#include "proxy/snapshot/stream_names.h"
#include "proxy/snapshot/stream_tls.h"

namespace penstock::snapshot {

enum class ProxyProtocolIn : std::uint8_t { kOff, kOptional, kRequired };
template <>
struct EnumNames<ProxyProtocolIn> {
  static constexpr std::array<std::string_view, 3> names = {"off", "optional", "required"};
};
enum class ProxyProtocolOut : std::uint8_t { kNone, kV1, kV2 };
template <>
struct EnumNames<ProxyProtocolOut> {
  static constexpr std::array<std::string_view, 3> names = {"none", "v1", "v2"};
};

struct StreamBackend {
  std::string upstream;
  std::uint32_t weight = 1;  // 0 = takes nothing
  ProxyProtocolOut proxy_protocol = ProxyProtocolOut::kNone;
  bool is_backup = false;          // asked where no other backend has an endpoint that is up
  std::uint32_t max_sessions = 0;  // at a time, of all ports that lead here; 0 = no limit
  BackendTls tls = {};

  template <class Archive>
  void describe(Archive& archive) {
    archive("upstream", upstream)("weight", weight)("proxy_protocol", proxy_protocol)(
        "is_backup", is_backup)("max_sessions", max_sessions)("tls", tls);
  }
  bool operator==(const StreamBackend&) const = default;
};

/// Whoever fits all three. Of several rules that fit, one that names the server goes before one
/// that names a wildcard, the longer wildcard before the shorter, and any before one without names;
/// then the first.
struct StreamRule {
  std::vector<base::IpNet> source_networks;  // empty = everybody
  std::vector<StreamBackend> backends;
  std::vector<std::string> server_names = {};  // "db.example.com", "*.example.com"; empty = any
  std::vector<std::string> protocols = {};     // ALPN; empty = any

  template <class Archive>
  void describe(Archive& archive) {
    archive("source_networks", source_networks)("backends", backends)("server_names", server_names)(
        "protocols", protocols);
  }
  bool operator==(const StreamRule&) const = default;
};

/// Named "tcp/<port>" or "tcp/<address>:<port>" as a part; one that has connections of the port by
/// name, "tcp/<port>/<namespace>/<object>" or, of a host of Ingresses, "tcp/<port>/<host>".
struct Stream {
  std::string name;
  std::string address;  // empty = every address, IPv4 and IPv6
  std::uint16_t port = 0;
  std::string name_space;  // with `object` a label of its metrics: of the object that opened the
  std::string object;      // port, or of the Service that an entry of a ConfigMap leads to
  std::string owner;       // the object that opened the port, for messages: "TCPService db/mysql"
  std::string log_name;    // $proxy_upstream_name of its log lines: "tcp-db-mysql-3306"
  ProxyProtocolIn proxy_protocol = ProxyProtocolIn::kOff;
  std::vector<base::IpNet> trusted_proxies;
  IpAccess access;
  std::vector<StreamRule> rules;  // none that fits = the connection is closed
  StreamTls tls;
  HashKey hash_key = HashKey::kAddress;
  base::Duration connect_timeout{60'000};
  base::Duration idle_timeout{600'000};
  // 0 = no limit, as in the next two.
  base::Duration client_idle_timeout{0};    // while the client is waited for
  base::Duration upstream_idle_timeout{0};  // while the upstream is
  base::Duration half_close_timeout{0};     // without a byte once one side has ended
  bool retries_next_upstream = true;
  std::uint32_t tries = 3;  // 0 = no limit
  base::Duration retry_timeout{600'000};
  base::Duration longest_session{0};  // 0 = no limit
  ConnectionLimits limits;
  Bandwidth bandwidth;
  StreamDrain drain;
  TcpKeepalive keepalive;
  StreamLog log;
  StreamEntrance entrance = StreamEntrance::kPort;
  // Not empty: the hello is read, and the stream that has the name takes the connection from there;
  // nothing but the PROXY header, STARTTLS and what is said of connections that nobody has is this
  // stream's own. Sorted by name.
  std::vector<StreamDelegate> delegates;

  template <class Archive>
  void describe(Archive& archive) {
    archive("name", name)("address", address)("port", port)("namespace", name_space)(
        "object", object)("owner", owner)("log_name", log_name)("proxy_protocol", proxy_protocol)(
        "trusted_proxies", trusted_proxies)("access", access)("rules", rules)("tls", tls)(
        "hash_key", hash_key)("connect_timeout", connect_timeout)("idle_timeout", idle_timeout)(
        "client_idle_timeout", client_idle_timeout)("upstream_idle_timeout", upstream_idle_timeout)(
        "half_close_timeout", half_close_timeout)("retries_next_upstream", retries_next_upstream)(
        "tries", tries)("retry_timeout", retry_timeout)("longest_session", longest_session)(
        "limits", limits)("bandwidth", bandwidth)("drain", drain)("keepalive", keepalive)(
        "log", log)("entrance", entrance)("delegates", delegates);
  }
  bool operator==(const Stream&) const = default;
};

}  // namespace penstock::snapshot
