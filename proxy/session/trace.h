#pragma once
// The trace of an exchange, from its headers to its spans.
#include "proxy/session/worker_parts.h"
#include "proxy/session/workspace.h"

namespace penstock::session {

/// For an exchange whose route is traced. Nothing where no collector is named.
void begin_trace(WorkerParts& worker, Workspace& work);

/// For an exchange that has a trace: hands over its spans where they are kept.
void end_trace(WorkerParts& worker, const filters::Exchange& exchange,
               const telemetry::HttpRecord& record, base::SteadyTime begun);

}  // namespace penstock::session
