#pragma once
// The log line of a TCP or UDP session, where its port wants one.
#include <memory>

#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/stream_log.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

/// Whether this session is one that is logged; draws where only some are.
bool wants_log(WorkerParts& worker, const snapshot::StreamLog& log);
/// What this worker counts of the port. Where there are too many, it counts for nobody.
template <class Stream>
std::shared_ptr<telemetry::StreamSeries> series_of(WorkerParts& worker, const Stream& stream) {
  auto series = worker.metrics.stream({stream.name, stream.name_space, stream.object});
  return series ? series : std::make_shared<telemetry::StreamSeries>();
}
void write_log(WorkerParts& worker, const snapshot::StreamLog& log,
               const telemetry::StreamRecord& record);

}  // namespace penstock::session
