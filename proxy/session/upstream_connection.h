#pragma once
#include <optional>

#include "proxy/net/deadline.h"
#include "proxy/net/stream.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::session {

/// A connection to an endpoint, in use by one exchange or idle in the pool.
struct UpstreamConnection final : upstream::IdleConnection {
  explicit UpstreamConnection(net::Reactor& reactor)
      : IdleConnection(reactor.clock().now()), stream(reactor), deadline(reactor.wheel(), stream) {}

  bool is_quiet() override { return stream.is_quiet(); }

  net::Stream stream;
  net::Deadline deadline;
  std::optional<upstream::Lease> lease;  // a stream counts as active while its connection lives
};

}  // namespace penstock::session
