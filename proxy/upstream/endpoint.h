#pragma once
// What one worker knows of one address of an upstream. It outlives table swaps: only its weight
// changes, and an endpoint that leaves its upstream lives on until its last connection is done.
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/duration.h"
#include "proxy/base/health.h"
#include "proxy/telemetry/upstream_series.h"

namespace penstock::upstream {

/// How fast a response time is forgotten.
inline constexpr double kEwmaDecaySeconds = 10;

struct IdleConnection;

struct Endpoint {
  base::TcpEndpoint address;
  std::string text;  // "10.0.0.1:80", for logs
  std::uint32_t weight = 1;
  std::uint32_t active = 0;  // requests or streams being served
  std::shared_ptr<telemetry::UpstreamSeries> series =
      std::make_shared<telemetry::UpstreamSeries>();  // of its upstream; never null
  std::int64_t smooth = 0;                            // running weight of smooth round robin
  std::uint32_t fails = 0;                            // since `first_fail`
  base::SteadyTime first_fail;
  base::SteadyTime down_until;
  // While it returns, or is new, it takes a growing part of its share.
  base::SteadyTime ramp_from;  // the epoch: from its first use
  base::Duration ramp{0};      // how long; 0 = it has its full share
  bool was_down = false;       // by its active checks, when last looked at
  std::uint64_t failures = 0;  // of all attempts
  std::uint64_t answers = 0;   // good ones; for a stream, connections that were made
  double answer_seconds = 0;   // the time to all of them
  std::uint64_t requests = 0;  // attempts that were given to it
  double ewma_seconds = 0;     // peak-sensitive response time; 0 = none yet
  base::SteadyTime ewma_touched;
  IdleConnection* last_idle = nullptr;  // kept connections, the one used last first (pool.h)
  bool is_retired = false;              // no longer in its upstream: connections to it are not kept

  std::shared_ptr<const base::HealthCell> health;  // of active checks; null where there are none

  bool is_up(base::SteadyTime now) const {
    return now >= down_until && (!health || health->get() != base::Health::kDown);
  }
};

using EndpointPtr = std::shared_ptr<Endpoint>;

}  // namespace penstock::upstream
