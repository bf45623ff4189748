#pragma once
// loadBalancing of a TCPService or UDPService, as written.
#include <cstdint>
#include <string_view>
#include <vector>

#include "controller/objects/json.h"
#include "controller/objects/stream_fields.h"

namespace penstock::objects {

enum class LoadBalancing : std::uint8_t {
  kRoundRobin,
  kLeastConnections,
  kRandom,
  kRandom2,
  kLeastTime,
  kSourceIpHash,
  kHash,
};

enum class StreamHashKey : std::uint8_t {
  kSourceIp,
  kSourceIpPort,
  kServerName,
  kQuicConnectionId,
};

struct StreamBalancing {
  LoadBalancing algorithm = LoadBalancing::kRoundRobin;
  StreamHashKey hash_key = StreamHashKey::kSourceIp;
  std::uint32_t bounded_load_percent = 0;  // 0 = no bound
  base::Duration slow_start{0};

  bool is_hashing() const {
    return algorithm == LoadBalancing::kHash || algorithm == LoadBalancing::kSourceIpHash;
  }
};

std::string_view name_of(LoadBalancing algorithm);
/// loadBalancing of the spec of a TCPService.
StreamBalancing parse_tcp_balancing(const Json& spec);
/// The same of a UDPService: what can be hashed differs.
StreamBalancing parse_udp_balancing(const Json& spec);
/// nginx's rule, kept on purpose: a hash has no second choice.
void check_no_backup(const Json& json, const StreamBalancing& balancing,
                     const std::vector<StreamBackend>& backends);

}  // namespace penstock::objects
