#pragma once
#include "proxy/telemetry/counter.h"

namespace penstock::telemetry {

/// What became of spans. Written by whoever holds the exporter's lock.
struct TraceCounts {
  Counter exported;
  Counter queue_full;   // dropped: there was no room
  Counter refused;      // dropped: the collector did not want them
  Counter unreachable;  // dropped: the collector could not be reached in the end
};

}  // namespace penstock::telemetry
