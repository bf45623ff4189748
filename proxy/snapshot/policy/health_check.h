#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

enum class ProbeType : std::uint8_t {
  kNone,
  kConnect,          // a TCP connection comes to be
  kTls,              // and a TLS handshake; the certificate is not judged
  kSendExpect,       // what is sent is answered as expected; TCP or UDP
  kHttp,             // HTTP/1.1 GET, judged by its status
  kGrpc,             // grpc.health.v1.Health/Check over HTTP/2 in the clear
  kIcmpUnreachable,  // UDP: nothing says that nobody is there
};
template <>
struct EnumNames<ProbeType> {
  static constexpr std::array<std::string_view, 7> names = {
      "none", "connect", "tls", "send_expect", "http", "grpc", "icmp_unreachable"};
};

/// Active health: the proxy asks each endpoint itself, in addition to what its traffic meets.
/// Endpoints of several upstreams with the same address and the same check are asked once.
struct HealthCheck {
  ProbeType type = ProbeType::kNone;
  bool is_udp = false;
  std::uint16_t port = 0;  // 0 = that of the endpoint
  base::Duration interval{10'000};
  base::Duration timeout{3'000};
  base::Duration jitter{1'000};  // added to the interval at random, up to this
  std::uint32_t passes = 2;      // in a row until one that is down is up
  std::uint32_t fails = 3;       // in a row until one that is up is down
  std::string send;
  std::string expect;          // somewhere in the answer
  std::string expect_pattern;  // the same as a regular expression (RE2)
  std::string host;            // Host of HTTP and server name of TLS; empty: the address, none
  std::string path = "/";      // of HTTP
  std::uint16_t lowest_status = 200;
  std::uint16_t highest_status = 399;
  std::string service;  // of gRPC; empty: the server as a whole

  template <class Archive>
  void describe(Archive& archive) {
    archive("type", type)("is_udp", is_udp)("port", port)("interval", interval)("timeout", timeout)(
        "jitter", jitter)("passes", passes)("fails", fails)("send", send)("expect", expect)(
        "expect_pattern", expect_pattern)("host", host)("path", path)(
        "lowest_status", lowest_status)("highest_status", highest_status)("service", service);
  }
  bool operator==(const HealthCheck&) const = default;
};

}  // namespace penstock::snapshot
