#pragma once
// health of a TCPService or UDPService, as written.
#include <cstdint>
#include <string>

#include "controller/objects/json.h"
#include "proxy/base/duration.h"
#include "proxy/snapshot/policy/health_check.h"

namespace penstock::objects {

struct StreamHealth {
  std::uint32_t max_fails = 1;
  base::Duration fail_timeout{10'000};
  bool recovers_slowly = false;
  std::uint32_t panic_percent = 0;  // 0 = only where no endpoint is up
  snapshot::HealthCheck active;     // type none where there is none
};

/// health of the spec.
StreamHealth parse_tcp_health(const Json& spec);
StreamHealth parse_udp_health(const Json& spec);

}  // namespace penstock::objects
