#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

/// One set for HTTP and streams.
enum class Algorithm : std::uint8_t {
  kRoundRobin,        // smooth weighted
  kLeastConnections,  // weighted
  kSourceIpHash,      // nginx ip_hash: /24 of IPv4, whole IPv6
  kHash,              // ketama over the client address
  kRandomTwo,         // the less loaded of two
  kEwma,              // peak EWMA of response time, best of two
};
template <>
struct EnumNames<Algorithm> {
  static constexpr std::array<std::string_view, 6> names = {
      "round_robin", "least_connections", "source_ip_hash", "hash", "random_two", "ewma"};
};

struct Balancing {
  Algorithm algorithm = Algorithm::kRoundRobin;

  template <class Archive>
  void describe(Archive& archive) {
    archive("algorithm", algorithm);
  }
  bool operator==(const Balancing&) const = default;
};

/// Passive health (nginx max_fails, fail_timeout). Zero failures switches it off: the default for
/// HTTP, as in the original.
struct PassiveHealth {
  std::uint32_t max_fails = 0;
  base::Duration fail_timeout{10'000};

  template <class Archive>
  void describe(Archive& archive) {
    archive("max_fails", max_fails)("fail_timeout", fail_timeout);
  }
  bool operator==(const PassiveHealth&) const = default;
};

}  // namespace penstock::snapshot
