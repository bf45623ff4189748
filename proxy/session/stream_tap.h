#pragma once
// The lines of `penstock tap` about a TCP or UDP session: one when it is known whose it is, one
// when it has ended; between them its first bytes, for who follows it with bytes. Callers ask
// whether there is a tap at all.
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/duration.h"
#include "proxy/base/end_reason.h"
#include "proxy/session/stream_recording.h"
#include "proxy/session/worker_parts.h"

namespace penstock::session {

struct TappedSession {
  std::string_view stream;  // name of its part
  std::string_view owner;
  const base::Address* client = nullptr;
  std::uint16_t client_port = 0;
};

struct TappedEnd {
  base::EndReason reason = base::EndReason::kInternal;
  base::Side side = base::Side::kClient;  // of the error
  base::error_code code;
  std::string_view detail;                      // of TLS; empty where there is none
  const base::TcpEndpoint* endpoint = nullptr;  // null: none was asked
  base::Duration time{0};
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
};

/// Where its bytes go from now on; null where nobody wants them, or enough sessions record.
std::unique_ptr<StreamRecording> tap_begin(WorkerParts& worker, const TappedSession& session);
void tap_end(WorkerParts& worker, const TappedSession& session, const TappedEnd& end);

}  // namespace penstock::session
