#pragma once
// What a worker tells of itself when it is asked, and what all of them add up to. Gathered on the
// worker's own thread between two turns of its loop: serving pays nothing for it.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/health.h"
#include "proxy/session/live_report.h"
#include "proxy/telemetry/recent_errors.h"

namespace penstock::worker {

struct EndpointReport {
  std::uint32_t weight = 0;
  std::uint32_t active = 0;        // requests or sessions now
  std::uint32_t down_workers = 0;  // of the workers, how many have taken it out for its failures
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;
  std::uint64_t answers = 0;
  double answer_seconds = 0;
  std::uint64_t down_ms = 0;  // the longest that it stays out from now on
  bool is_drained = false;
  std::optional<base::Health> check;  // what its active checks have found; none: it has none
};

struct StreamReport {
  std::uint64_t sessions = 0;
  std::uint64_t active = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t failures = 0;
  std::uint64_t dropped = 0;
};

/// Live sessions of streams, and how many have ended why.
struct SessionsReport {
  std::uint64_t active = 0;
  std::uint64_t examined = 0;                   // of these; the busiest of the rest may be missing
  std::vector<session::SessionReport> busiest;  // what carried most comes first
  std::vector<std::uint64_t> ended;             // by reason
};

struct SessionsRequest {
  std::string port;       // "tcp/443"; empty: all
  std::size_t most = 20;  // sessions
};

/// What to tell: the work of an answer is bounded by whoever asks.
struct ReportRequest {
  std::vector<std::uint32_t> upstreams;  // slots
  std::vector<std::string> streams;      // names of parts
  bool wants_errors = false;
  std::optional<SessionsRequest> sessions = {};
};

struct ErrorReport {
  std::uint64_t count = 0;
  std::vector<telemetry::RecentError> last;  // the latest first, at most kMostErrors
};

struct Report {
  static constexpr std::size_t kMostErrors = telemetry::RecentErrors::kKept;

  std::uint32_t workers = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_active = 0;
  std::uint64_t connections_waiting = 0;
  std::uint64_t requests = 0;
  std::uint64_t handshake_failures = 0;
  std::uint64_t idle_upstream_connections = 0;
  std::map<std::uint32_t, std::map<std::string, EndpointReport>> upstreams;  // by slot, address
  std::map<std::string, StreamReport> streams;
  std::vector<ErrorReport> errors;  // by reason, where they were asked for

  std::optional<SessionsReport> sessions;  // where they were asked for

  /// Adds what another worker tells.
  void add(const Report& other);
  /// The list of sessions as it was asked for, once everything is added.
  void finish(const ReportRequest& request);
};

}  // namespace penstock::worker
