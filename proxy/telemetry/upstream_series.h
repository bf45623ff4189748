#pragma once
#include "proxy/telemetry/counter.h"

namespace penstock::telemetry {

/// What one worker counts of one upstream. Its endpoints hold it, so that counting finds nothing.
struct UpstreamSeries {
  Counter connects;
  Counter reuses;
  Counter failures;
  Counter active;
};

}  // namespace penstock::telemetry
