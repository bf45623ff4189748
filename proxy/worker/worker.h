#pragma once
// One thread with everything it needs to serve: loop, listeners, upstream state, connections.
// Nothing is shared with the other workers but the immutable table.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/gate.h"
#include "proxy/base/health.h"
#include "proxy/base/limit.h"
#include "proxy/net/listener.h"
#include "proxy/net/reactor.h"
#include "proxy/routing/compile.h"
#include "proxy/session/tcp_ports.h"
#include "proxy/session/udp_ports.h"
#include "proxy/session/worker_parts.h"
#include "proxy/worker/report.h"

namespace penstock::worker {

/// A port that could not be opened.
struct ListenProblem {
  std::string listener;  // "http 0.0.0.0:80" or the stream's part name
  base::error_code code;
};

/// "https [*]:443": how a port of the global settings is named in messages.
std::string listener_name(const snapshot::HttpListener& listener);

/// Where a worker counts, logs and limits; what it does not own outlives it. Without them it counts
/// for itself and logs nothing.
struct Telemetry {
  telemetry::WorkerMetrics* metrics = nullptr;
  telemetry::LogWriter* log = nullptr;
  /// Shared by all workers, so that limits hold for the proxy as a whole; else for the worker.
  std::shared_ptr<base::LimitTable> limits = std::make_shared<base::LimitTable>();
  /// Where active checks write what they find.
  std::shared_ptr<base::HealthTable> health = std::make_shared<base::HealthTable>();
  /// Where spans go; outlives the worker. Without it there are none.
  telemetry::TraceExporter* traces = nullptr;
};

class Worker {
 public:
  explicit Worker(Telemetry telemetry = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();

  /// From any thread: serve from this table from now on. `done` runs on the worker, with the ports
  /// that could not be opened.
  using Done = std::function<void(std::vector<ListenProblem>)>;
  void adopt(std::shared_ptr<const routing::RoutingTable> table, routing::TableChange change,
             Done done);
  /// From any thread: stop accepting, let requests finish, and end what is left after `limit`.
  void drain(base::Duration limit);
  /// From any thread: tells of itself; `done` runs on the worker.
  void report(ReportRequest request, std::function<void(Report)> done);
  /// From any thread: what is logged in detail from now on.
  void set_log_rules(std::vector<session::LogRule> rules);
  /// From any thread: who follows sessions from now on.
  void set_taps(std::vector<telemetry::Tap> taps);
  /// From any thread: endpoints that take nothing new, by the names of their upstreams. It holds
  /// for tables that come later, too.
  void set_drained(std::map<std::string, std::set<std::string>> endpoints);
  /// Returns when the worker's thread has ended.
  void join();

 private:
  void apply_drained(const std::string& upstream);
  Report report_now(const ReportRequest& request) const;
  SessionsReport report_sessions(const SessionsRequest& request) const;
  void report_stream(const std::string& name, StreamReport& out) const;
  std::vector<ListenProblem> take(const std::shared_ptr<const routing::RoutingTable>& table,
                                  const routing::TableChange& change);
  void reconcile_upstream(std::uint32_t slot);
  void reconcile_http_listeners(std::vector<ListenProblem>& problems);
  void reconcile_stream(const std::string& name, std::vector<ListenProblem>& problems);
  void make_tls();
  void make_logs();
  void flush();
  void sweep();
  void end();
  void close_idle_clients();
  base::Task<void> drained();

  net::Reactor reactor_;
  std::unique_ptr<telemetry::WorkerMetrics> own_metrics_;
  session::WorkerParts parts_;
  std::shared_ptr<base::HealthTable> health_;
  net::Timer sweep_timer_;
  net::Timer log_timer_;
  net::Timer drain_timer_;
  net::Timer idle_timer_;
  base::Gate connections_;
  session::TcpPorts tcp_ports_;
  session::UdpPorts udp_ports_;
  std::map<std::string, std::set<std::string>> drained_;
  std::map<std::string, std::unique_ptr<net::Listener>> http_listeners_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace penstock::worker
