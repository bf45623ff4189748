#pragma once
// A UDP port: who may send, where the datagrams go, and what ends a session.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"
#include "proxy/snapshot/policy/ip_access.h"
#include "proxy/snapshot/stream.h"

namespace penstock::snapshot {

/// A session is one client address and port, and the endpoint that serves it. Named "udp/<port>" or
/// "udp/<address>:<port>" as a part.
struct UdpStream {
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

  std::string name;
  std::string address;  // empty = every address, IPv4 and IPv6
  std::uint16_t port = 0;
  std::string name_space;  // with `object` a label of its metrics: of the object that opened the
  std::string object;      // port, or of the Service that an entry of a ConfigMap leads to
  std::string owner;       // the object that opened the port, for messages: "UDPService dns/main"
  std::string log_name;    // $proxy_upstream_name of its log lines: "udp-dns-main-53"
  IpAccess access;
  std::vector<StreamBackend> backends;  // proxy_protocol: none or v2, before every datagram
  HashKey hash_key = HashKey::kAddress;
  base::Duration idle_timeout{600'000};
  /// Datagrams that answer each one of the client; when all have come the session ends. Zero: it
  /// ends as soon as the client's has been sent. kUnlimited: it ends by the idle timeout.
  std::uint32_t max_responses = kUnlimited;
  /// Datagrams of the client in one session: the next one begins another, and the session does not
  /// end by its answers before. 0 = no limit.
  std::uint32_t max_requests = 0;
  std::uint32_t max_sessions = 16'384;
  std::uint32_t max_sessions_per_address = 0;        // 0 = no limit
  std::uint32_t packets_per_second_per_address = 0;  // 0 = no limit
  bool retries_next_upstream = true;
  std::uint32_t tries = 3;  // 0 = no limit
  StreamLog log;

  template <class Archive>
  void describe(Archive& archive) {
    archive("name", name)("address", address)("port", port)("namespace", name_space)(
        "object", object)("owner", owner)("log_name", log_name)("access", access)(
        "backends", backends)("hash_key", hash_key)("idle_timeout", idle_timeout)(
        "max_responses", max_responses)("max_requests", max_requests)("max_sessions", max_sessions)(
        "max_sessions_per_address", max_sessions_per_address)("packets_per_second_per_address",
                                                              packets_per_second_per_address)(
        "retries_next_upstream", retries_next_upstream)("tries", tries)("log", log);
  }
  bool operator==(const UdpStream&) const = default;
};

}  // namespace penstock::snapshot
