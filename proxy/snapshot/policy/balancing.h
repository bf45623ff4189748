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
  kRandomTwo,         // weighted; the less loaded of two
  kEwma,              // peak EWMA of response time and load, best of two
  kRandom,            // weighted
};
template <>
struct EnumNames<Algorithm> {
  static constexpr std::array<std::string_view, 7> names = {
      "round_robin", "least_connections", "source_ip_hash", "hash", "random_two", "ewma", "random"};
};

/// What the algorithm `hash` hashes for a stream.
enum class HashKey : std::uint8_t {
  kAddress,
  kAddressAndPort,
  kServerName,        // of a TLS hello; the address where there is none. Not for UDP
  kQuicConnectionId,  // the client's address and port where there is none. Not for TCP
};
template <>
struct EnumNames<HashKey> {
  static constexpr std::array<std::string_view, 4> names = {"address", "address_and_port",
                                                            "server_name", "quic_connection_id"};
};

struct Balancing {
  Algorithm algorithm = Algorithm::kRoundRobin;
  /// Of a hash: no endpoint has more than so many per cent of its share of what the worker serves;
  /// who is beyond goes to the next on the ring. 0 = no bound.
  std::uint32_t bounded_load_percent = 0;
  /// An endpoint that is new, or passes its active checks again, gets its full share after so long
  /// (nginx slow_start). Not for a hash. 0 = at once.
  base::Duration slow_start{0};
  /// Where less than so many per cent of the endpoints are up, all are used: those that are left
  /// would go down under the load of all. 0 = only where none is up.
  std::uint32_t panic_percent = 0;

  template <class Archive>
  void describe(Archive& archive) {
    archive("algorithm", algorithm)("bounded_load_percent", bounded_load_percent)(
        "slow_start", slow_start)("panic_percent", panic_percent);
  }
  bool operator==(const Balancing&) const = default;
};

/// Passive health (nginx max_fails, fail_timeout). Zero failures switches it off: the default for
/// HTTP, as in the original.
struct PassiveHealth {
  std::uint32_t max_fails = 0;
  base::Duration fail_timeout{10'000};
  bool recovers_slowly = false;  // to its full share within another fail_timeout

  template <class Archive>
  void describe(Archive& archive) {
    archive("max_fails", max_fails)("fail_timeout", fail_timeout)("recovers_slowly",
                                                                  recovers_slowly);
  }
  bool operator==(const PassiveHealth&) const = default;
};

}  // namespace penstock::snapshot
