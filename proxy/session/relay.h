#pragma once
// Carries bytes between two connections, both ways at once, until both directions have ended: what
// a TCP stream and an upgraded HTTP connection are. Each direction's FIN is passed on by itself, a
// reset ends both at once with a reset.
#include <cstdint>
#include <optional>

#include "proxy/base/asio.h"
#include "proxy/base/duration.h"
#include "proxy/base/end_reason.h"
#include "proxy/base/task.h"
#include "proxy/session/stream_recording.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/bandwidth.h"

namespace penstock::session {

using base::Side;

struct RelayResult {
  std::uint64_t from_client = 0;    // bytes read from the client and written to the upstream
  std::uint64_t from_upstream = 0;  // and the other way
  base::error_code error;           // none: both directions ended in order
  Side side = Side::kClient;        // whose connection failed, else who ended first
  /// Nothing where both were closed by somebody else, who knows why.
  std::optional<base::EndReason> reason;
};

/// Closes two connections at once: the target of a deadline that covers both.
class BothSides final : public net::Closable {
 public:
  BothSides(net::Stream& client, net::Stream& upstream) : client_(client), upstream_(upstream) {}
  void close() override {
    client_.close();
    upstream_.close();
  }
  bool is_moving() override {
    const bool to_client = client_.is_moving();
    return upstream_.is_moving() || to_client;
  }

 private:
  net::Stream& client_;
  net::Stream& upstream_;
};

struct RelayOptions {
  // 0 = no limit, as in all of these.
  base::Duration idle{0};           // without a byte either way
  base::Duration client_idle{0};    // while the client is waited for
  base::Duration upstream_idle{0};  // while the upstream is
  base::Duration half_close{0};     // without a byte once one side has ended
  snapshot::Bandwidth bandwidth;
  telemetry::StreamSeries* series = nullptr;  // where the bytes are counted as they move
  StreamRecording* recording = nullptr;       // of who follows the session with bytes
};

/// Returns when both directions have ended; both streams are closed then. Bytes already read from
/// either side go through `write` before the call.
base::Task<RelayResult> relay(WorkerParts& worker, net::Stream& client, net::Stream& upstream,
                              const RelayOptions& options);

}  // namespace penstock::session
