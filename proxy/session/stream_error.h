#pragma once
// The error line of a TCP or UDP session: what failed, on which side, in which phase, with errno,
// both addresses and what had been carried (nginx: "recv() failed (104: Connection reset by peer)
// while proxying and reading from upstream"). At most ten a second of one worker; the next line
// says how many were not written.
#include <cstdint>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/end_reason.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/stream_log.h"

namespace penstock::session {

/// Where a session stood when it failed.
enum class Phase : std::uint8_t {
  kProxyHeader,
  kTlsHandshake,
  kAdmission,
  kChoosing,
  kConnecting,
  kProxying,
};
std::string_view word_of(Phase phase);

struct StreamError {
  std::string_view stream;  // "tcp/5432"
  std::string_view owner;   // "TCPService db/mysql"
  std::string_view protocol = "TCP";
  snapshot::ErrorLevel level = snapshot::ErrorLevel::kProcess;  // of the object
  base::EndReason reason = base::EndReason::kInternal;
  base::Side side = base::Side::kClient;
  Phase phase = Phase::kProxying;
  base::error_code code;       // none where nothing of the system has failed
  std::string_view detail;     // of TLS; empty where there is none
  std::string_view client;     // address and port, as all three
  std::string_view server;     // empty where it is not known
  std::string_view upstream;   // empty before there is one
  std::uint64_t received = 0;  // from the client
  std::uint64_t sent = 0;      // to the client
};

/// Also one of the recent errors of the admin API, whether it has a line or not.
void log_error(WorkerParts& worker, const StreamError& error);

}  // namespace penstock::session
