#pragma once
// The trace of one request (W3C Trace Context, level 1): who it belongs to, whether it is kept, and
// the spans that it has here. Plain values; one worker.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/clock.h"
#include "proxy/snapshot/policy/trace.h"

namespace penstock::telemetry {

struct TraceId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const TraceId&) const = default;
};

/// A span, as those that it calls are told of it.
struct TraceParent {
  TraceId trace;
  std::uint64_t span = 0;
  bool is_sampled = false;

  bool operator==(const TraceParent&) const = default;
};

inline constexpr std::size_t kTraceparentSize = 55;

/// Hex digits of an id.
void append_hex(std::string& out, std::uint64_t value);
inline void append_hex(std::string& out, TraceId id) {
  append_hex(out, id.high);
  append_hex(out, id.low);
}
/// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
void append_traceparent(std::string& out, const TraceParent& parent);
/// Nothing where it is not valid: a new trace begins. Later versions are read as far as this one
/// goes (3.2.4 there).
std::optional<TraceParent> parse_traceparent(std::string_view text);

inline constexpr std::size_t kMostTracestate = 512;
inline constexpr std::size_t kMostTracestateMembers = 32;

/// Takes one tracestate field to those before it. False where it is not valid or becomes too long;
/// then none of them may be used.
bool append_tracestate(std::string& out, std::string_view field);

/// Random ids, of one thread (xoshiro256**): cheap, and nothing that a restart repeats.
class TraceIds {
 public:
  TraceIds();
  /// Never zero, which means "none".
  std::uint64_t span();
  TraceId trace() { return {span(), span()}; }

 private:
  std::uint64_t next();

  std::array<std::uint64_t, 4> state_;
};

/// Whether the spans of a trace are kept. `parent` is one that is trusted.
bool is_sampled(const snapshot::TraceSettings& settings, const std::optional<TraceParent>& parent,
                TraceId trace);

/// The spans of one request under way. Its memory is used again by the next one.
struct RequestTrace {
  struct Try {
    std::uint64_t span = 0;
    base::SteadyTime begun;
    base::SteadyTime ended;
  };
  /// Of attempts beyond so many only the last one has a span.
  static constexpr std::size_t kMostTries = 8;

  TraceParent server;        // the span of the request here
  std::uint64_t parent = 0;  // the caller's span; 0: the trace begins here
  std::string state;         // tracestate, as it goes on
  bool is_upstream_tls = false;
  std::array<Try, kMostTries> tries;
  std::size_t try_count = 0;

  /// `number` counts from 0; one that is not counted after all is begun again.
  void begin_try(std::size_t number, std::uint64_t span, base::SteadyTime now);
  void end_try(base::SteadyTime now) {
    if (try_count != 0) tries[try_count - 1].ended = now;
  }
  /// What the upstream is told: the span of this attempt calls it.
  TraceParent upstream() const;
};

/// Begins the trace of a request. `incoming` is the caller's traceparent where that is trusted.
void begin(RequestTrace& trace, const snapshot::TraceSettings& settings,
           const std::optional<TraceParent>& incoming, TraceIds& ids);

}  // namespace penstock::telemetry
