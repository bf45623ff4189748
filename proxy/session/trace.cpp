#include "proxy/session/trace.h"

namespace penstock::session {
namespace {

using http::Name;

/// The caller's span. A second field of that name makes both worthless: nobody knows which counts.
std::optional<telemetry::TraceParent> incoming(const http::Headers& headers) {
  const http::Header* only = nullptr;
  for (const auto& header : headers) {
    if (header.id != Name::kTraceparent) continue;
    if (only != nullptr) return std::nullopt;
    only = &header;
  }
  if (only == nullptr) return std::nullopt;
  return telemetry::parse_traceparent(only->value);
}

/// Fields of one name are one list (RFC 9110 5.3).
void take_state(const http::Headers& headers, std::string& out) {
  for (const auto& header : headers) {
    if (header.id != Name::kTracestate) continue;
    if (telemetry::append_tracestate(out, header.value)) continue;
    out.clear();
    return;
  }
}

}  // namespace

void begin_trace(WorkerParts& worker, Workspace& work) {
  auto& exchange = work.exchange;
  const auto& settings = exchange.global->traces;
  if (settings.collector_host.empty()) return;
  const auto& policy = exchange.route->policy;
  const auto& headers = work.request.headers;
  auto& trace = work.trace;
  std::optional<telemetry::TraceParent> parent;
  if (policy.trace.trusts_incoming && headers.has(Name::kTraceparent)) parent = incoming(headers);
  trace.state.clear();
  if (parent && headers.has(Name::kTracestate)) take_state(headers, trace.state);
  telemetry::begin(trace, settings, parent, worker.trace_ids);
  trace.is_upstream_tls = policy.backend.protocol == snapshot::BackendProtocol::kHttps;
  exchange.trace = &trace;
}

void end_trace(WorkerParts& worker, const filters::Exchange& exchange,
               const telemetry::HttpRecord& record, base::SteadyTime begun) {
  if (!exchange.trace->server.is_sampled) return;
  const auto& operation = exchange.route->policy.trace.operation;
  std::string name;
  if (!operation.empty()) {
    name = operation;
  } else if (worker.logs.span_name) {
    worker.logs.span_name->append(record, name);
    name.pop_back();  // the line's end
  } else {
    name = telemetry::span_name(record);
  }
  worker.spans.add(record, name, {begun, worker.clock.now(), worker.clock.wall()});
}

}  // namespace penstock::session
