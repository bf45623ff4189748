#pragma once
// The log line of a TCP or UDP session, where its port wants one.
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/stream_log.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

/// Whether this session is one that is logged; draws where only some are.
bool wants_log(WorkerParts& worker, const snapshot::StreamLog& log);
void write_log(WorkerParts& worker, const snapshot::StreamLog& log,
               const telemetry::StreamRecord& record);

}  // namespace penstock::session
