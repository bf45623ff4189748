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
  UpstreamConnection(asio::io_context& io, net::DeadlineWheel& wheel, base::SteadyTime now)
      : stream(base::TcpSocket(io.get_executor())), deadline(wheel, stream), created(now) {}

  bool is_quiet() { return input.empty() && stream.is_quiet(); }

  net::Stream stream;
  net::Deadline deadline;
  Input input;
  base::SteadyTime created;
  std::uint32_t requests = 0;
  std::optional<upstream::Lease> lease;  // a stream counts as active while its connection lives
};

}  // namespace penstock::session
