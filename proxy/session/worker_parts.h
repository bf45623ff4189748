#pragma once
// What a session borrows from the worker that runs it. One per worker; nothing in it is shared with
// another thread.
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/line_rate.h"
#include "proxy/net/reactor.h"
#include "proxy/net/splice.h"
#include "proxy/net/tls_context.h"
#include "proxy/routing/routing_table.h"
#include "proxy/session/buffer_pool.h"
#include "proxy/session/diagnosis.h"
#include "proxy/session/limit_cache.h"
#include "proxy/session/stream_tls.h"
#include "proxy/session/upstream_connection.h"
#include "proxy/session/workspace.h"
#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/log_format.h"
#include "proxy/telemetry/metrics.h"
#include "proxy/telemetry/recent_errors.h"
#include "proxy/telemetry/tap.h"
#include "proxy/telemetry/trace_exporter.h"
#include "proxy/upstream/pool.h"
#include "proxy/upstream/upstream_state.h"

namespace penstock::session {

/// Log formats of the global settings, compiled when they change.
struct Logs {
  bool http_is_enabled = false;
  bool stream_is_enabled = false;
  bool logs_default_backend = false;
  telemetry::HttpLogFormat http;
  telemetry::StreamLogFormat stream;
  std::optional<telemetry::HttpLogFormat> span_name = {};  // none: by the route
};

/// A client's connection while it waits for its next request.
struct IdleClient
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit IdleClient(net::Stream& connection) : stream(connection) {}
  net::Stream& stream;
};
using IdleClients = boost::intrusive::list<IdleClient, boost::intrusive::constant_time_size<false>>;

class TcpPort;

struct WorkerParts {
  WorkerParts(net::Reactor& loop, telemetry::WorkerMetrics& counters, telemetry::LogWriter* writer)
      : reactor(loop), metrics(counters), log(writer) {}

  net::Reactor& reactor;
  const base::CoarseClock& clock = reactor.clock();
  net::DeadlineWheel& wheel = reactor.wheel();
  upstream::Random random{std::random_device{}()};
  std::mt19937_64 ids{std::random_device{}()};  // request ids
  std::shared_ptr<const routing::RoutingTable> table;
  std::vector<std::unique_ptr<upstream::UpstreamState>> upstreams;  // by slot; may be shorter
  upstream::IdlePool<UpstreamConnection> pool;
  LimitCache limits;
  net::TlsClientContext tls_client;
  std::shared_ptr<net::TlsServerContext> tls_server;  // held by each handshake
  StreamTlsCache stream_tls;
  // Who has names of HTTPS connections that are not to be decrypted; null: nobody, and no hello is
  // looked at.
  std::shared_ptr<TcpPort> https_names;
  telemetry::WorkerMetrics& metrics;
  telemetry::LogBuffer log;
  telemetry::RecentErrors errors;
  LogRules log_rules;
  std::vector<telemetry::Tap> taps;  // those who watch sessions begin and end
  telemetry::SpanBuffer spans;
  telemetry::TraceIds trace_ids;
  Logs logs;
  base::LineRate error_lines{10};  // of sessions that failed
  std::uint64_t connections = 0;   // serial number of the last one
  bool is_draining = false;        // answers say Connection: close
  IdleClients idle_clients;        // between two requests; closed early in a drain
  BufferPool buffers;
  net::PipePool pipes;
  WorkspacePool workspaces;

  upstream::UpstreamState* upstream(std::uint32_t slot) const {
    return slot < upstreams.size() ? upstreams[slot].get() : nullptr;
  }
};

}  // namespace penstock::session
