#pragma once
#include <array>

#include "proxy/base/end_reason.h"
#include "proxy/telemetry/counter.h"

namespace penstock::telemetry {

/// What one worker counts of one upstream. Its endpoints hold it, so that counting finds nothing.
struct UpstreamSeries {
  Counter connects;
  Counter reuses;
  std::array<Counter, base::kEndReasons> failures;  // by the reason
  Counter active;

  void fail(base::EndReason reason) { failures[static_cast<std::size_t>(reason)].add(); }
};

}  // namespace penstock::telemetry
