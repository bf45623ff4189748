#pragma once
#include <cstdint>
#include <optional>

#include "proxy/base/clock.h"
#include "proxy/net/deadline.h"
#include "proxy/net/stream.h"
#include "proxy/session/input.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::session {

/// A connection to an endpoint, in use by one exchange or idle in the pool.
struct UpstreamConnection {
  explicit UpstreamConnection(net::Reactor& reactor)
      : stream(reactor), deadline(reactor.wheel(), stream), created(reactor.clock().now()) {}

  bool is_quiet() const { return input.empty() && stream.is_quiet(); }

  net::Stream stream;
  net::Deadline deadline;
  Input input;
  base::SteadyTime created;
  std::uint32_t requests = 0;
  std::optional<upstream::Lease> lease;  // a stream counts as active while its connection lives
};

}  // namespace penstock::session
