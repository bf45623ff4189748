#pragma once
// Spans in the JSON form of OTLP, with the attributes of OpenTelemetry's conventions for HTTP: one
// for the request as the client sees it, one for each attempt on an endpoint.
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/snapshot/global.h"
#include "proxy/telemetry/record.h"
#include "proxy/telemetry/trace.h"

namespace penstock::telemetry {

/// When a request began and ended; the clock of the wall is read once, at its end.
struct SpanTimes {
  base::SteadyTime begun;
  base::SteadyTime ended;
  base::WallTime wall_ended;
};

/// "GET /shop": by the route, for there must not be as many names as there are paths.
std::string span_name(const HttpRecord& record);

/// All of a request, the server's first. `record.trace` is there.
std::vector<std::string> make_spans(const HttpRecord& record, std::string_view name,
                                    const SpanTimes& times);

/// The message's text in front of its spans, which are separated by commas, and behind them.
std::string message_head(const snapshot::TraceSettings& settings,
                         const snapshot::Instance& instance);
inline constexpr std::string_view kMessageTail = "]}]}]}";

}  // namespace penstock::telemetry
