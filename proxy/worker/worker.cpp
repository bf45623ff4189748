#include "proxy/worker/worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/base/log.h"
#include "proxy/session/http_session.h"
#include "proxy/session/stream_log.h"

namespace penstock::worker {
namespace {

constexpr base::Duration kSweep{5'000};
constexpr base::Duration kLogFlush{1'000};
/// For sessions that were told to end to do so.
constexpr base::Duration kLastWords{100};
/// A request may be on its way on a connection that looks idle: it is answered, with `close`.
constexpr base::Duration kIdleInDrain{2'000};

void report_endpoints(const upstream::UpstreamState& state, base::SteadyTime now,
                      std::map<std::string, EndpointReport>& out) {
  for (const auto& endpoint : state.endpoints()) {
    auto& each = out[endpoint->text];
    each.weight = endpoint->weight;
    each.active = endpoint->active;
    each.requests = endpoint->requests;
    each.failures = endpoint->failures;
    each.answers = endpoint->answers;
    each.answer_seconds = endpoint->answer_seconds;
    each.is_drained = state.is_drained(*endpoint);
    if (endpoint->health) each.check = endpoint->health->get();
    const auto rest = std::chrono::duration_cast<base::Duration>(endpoint->down_until - now);
    each.down_workers = rest.count() > 0 ? 1 : 0;
    each.down_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(rest.count(), 0));
  }
}

void add_to(StreamReport& sum, const telemetry::StreamSeries& series) {
  for (const auto& row : base::end_reasons()) {
    const auto count = series.ended[static_cast<std::size_t>(row.reason)].get();
    sum.sessions += count;
    sum.failures += row.is_failure ? count : 0;
  }
  sum.sessions += series.active.get();
  sum.active += series.active.get();
  sum.bytes_received += series.bytes_received.get();
  sum.bytes_sent += series.bytes_sent.get();
  sum.dropped += series.dropped.get();
}

void report_errors(const telemetry::RecentErrors& errors, std::vector<ErrorReport>& out) {
  out.resize(base::kEndReasons);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto reason = static_cast<base::EndReason>(i);
    out[i].count = errors.count(reason);
    errors.for_each(reason,
                    [&](const telemetry::RecentError& each) { out[i].last.push_back(each); });
  }
}

}  // namespace

std::string listener_name(const snapshot::HttpListener& listener) {
  return fmt::format("{} [{}]:{}", listener.is_tls ? "https" : "http",
                     listener.address.empty() ? "*" : listener.address, listener.port);
}

Worker::Worker(Telemetry telemetry)
    : own_metrics_(telemetry.metrics == nullptr ? std::make_unique<telemetry::WorkerMetrics>()
                                                : nullptr),
      parts_(reactor_, own_metrics_ ? *own_metrics_ : *telemetry.metrics, telemetry.log),
      health_(std::move(telemetry.health)),
      sweep_timer_(reactor_, [this] { sweep(); }),
      log_timer_(reactor_,
                 [this] {
                   flush();
                   log_timer_.start(kLogFlush);
                 }),
      drain_timer_(reactor_, [this] { end(); }),
      idle_timer_(reactor_, [this] { close_idle_clients(); }),
      tcp_ports_(parts_, connections_),
      udp_ports_(parts_, connections_) {
  parts_.limits.use(std::move(telemetry.limits));
  parts_.spans.use(telemetry.traces);
  sweep_timer_.start(kSweep);
  if (telemetry.log != nullptr || telemetry.traces != nullptr) log_timer_.start(kLogFlush);
}

Worker::~Worker() {
  join();
  flush();
}

void Worker::start() {
  thread_ = std::thread([this] {
    reactor_.run();
    flush();
  });
}

void Worker::flush() {
  parts_.log.flush();
  parts_.spans.flush();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::adopt(std::shared_ptr<const routing::RoutingTable> table, routing::TableChange change,
                   Done done) {
  reactor_.post(
      [this, table = std::move(table), change = std::move(change), done = std::move(done)] {
        // This worker's own count on top of the shared one: requests copy the pointer without
        // touching a cache line of another core.
        auto local = std::make_shared<std::shared_ptr<const routing::RoutingTable>>(table);
        const std::shared_ptr<const routing::RoutingTable> mine(local, table.get());
        done(take(mine, change));
      });
}

std::vector<ListenProblem> Worker::take(const std::shared_ptr<const routing::RoutingTable>& table,
                                        const routing::TableChange& change) {
  std::vector<ListenProblem> problems;
  parts_.table = table;
  for (const auto slot : change.upstreams) reconcile_upstream(slot);
  if (change.is_global_changed) {
    parts_.pool.configure(table->global().keepalive);
    make_tls();
    make_logs();
    reconcile_http_listeners(problems);
  }
  for (const auto& name : change.streams) reconcile_stream(name, problems);
  if (!change.upstreams.empty()) tcp_ports_.check_endpoints();
  return problems;
}

void Worker::reconcile_upstream(std::uint32_t slot) {
  if (slot >= parts_.upstreams.size()) parts_.upstreams.resize(slot + 1);
  auto& state = parts_.upstreams[slot];
  const auto* compiled = parts_.table->upstream(slot);
  if (compiled == nullptr) {
    if (state) state->retire();
    state.reset();
    return;
  }
  if (!state) {
    state = std::make_unique<upstream::UpstreamState>(
        parts_.random, parts_.metrics.upstream(compiled->upstream().name));
  }
  const auto& name = compiled->upstream().name;
  if (!drained_.empty() && drained_.contains(name)) state->set_drained(drained_.at(name));
  state->reconcile(compiled->upstream(), compiled->endpoints(), health_.get());
}

void Worker::make_tls() {
  auto made = net::TlsServerContext::make(
      parts_.table->global().tls,
      [this](std::string_view name) { return parts_.table->identity_for(name); });
  if (!made) {
    base::log::error("TLS settings are not usable, the ones before stay: {}", made.error().message);
    return;
  }
  parts_.tls_server = std::move(*made);
}

void Worker::make_logs() {
  const auto& settings = parts_.table->global().access_log;
  const auto& operation = parts_.table->global().traces.operation;
  parts_.logs = {settings.http_is_enabled,
                 settings.stream_is_enabled,
                 settings.logs_default_backend,
                 telemetry::HttpLogFormat(settings.http_format, settings.escape),
                 telemetry::StreamLogFormat(settings.stream_format, settings.escape),
                 std::nullopt};
  if (operation.empty()) return;
  parts_.logs.span_name.emplace(operation, snapshot::LogEscape::kNone);
}

void Worker::reconcile_http_listeners(std::vector<ListenProblem>& problems) {
  std::map<std::string, std::unique_ptr<net::Listener>> next;
  for (const auto& wanted : parts_.table->global().listeners) {
    const auto key = listener_name(wanted);
    if (auto node = http_listeners_.extract(key)) {
      next.insert(std::move(node));
      continue;
    }
    auto listener = std::make_unique<net::Listener>(
        reactor_, [this, is_tls = wanted.is_tls, port = wanted.port](auto accepted) {
          auto pass = connections_.try_enter();
          if (!pass) return;
          auto session =
              std::make_unique<session::HttpSession>(parts_, std::move(accepted), is_tls, port);
          base::spawn("HTTP connection",
                      session::HttpSession::serve(std::move(session), std::move(*pass)));
        });
    if (const auto opened = listener->open(wanted.address, wanted.port); !opened) {
      problems.push_back({key, opened.error()});
      continue;
    }
    listener->start();
    next.emplace(key, std::move(listener));
  }
  http_listeners_ = std::move(next);
}

void Worker::reconcile_stream(const std::string& name, std::vector<ListenProblem>& problems) {
  const auto opened =
      session::UdpPorts::owns(name) ? udp_ports_.reconcile(name) : tcp_ports_.reconcile(name);
  if (!opened) problems.push_back({name, opened.error()});
}

void Worker::sweep() {
  parts_.pool.sweep(parts_.clock.now());
  parts_.metrics.sweep();
  parts_.limits.sweep();
  tcp_ports_.sweep();
  sweep_timer_.start(kSweep);
}

void Worker::drain(base::Duration limit) {
  reactor_.post([this, limit] {
    if (parts_.is_draining) {
      reactor_.stop();
      return;
    }
    parts_.is_draining = true;
    for (auto& [key, listener] : http_listeners_) listener->close_after_waiting();
    tcp_ports_.drain();
    udp_ports_.drain();
    parts_.pool.clear();
    if (limit.count() <= 0) return reactor_.stop();
    idle_timer_.start(kIdleInDrain);
    drain_timer_.start(limit);
    base::spawn("drain", drained());
  });
}

void Worker::close_idle_clients() {
  for (auto& client : parts_.idle_clients) client.stream.close();
}

/// Streams that are left end with their log lines; then the loop stops, whatever is left.
void Worker::end() {
  if (std::exchange(is_ending_, true)) return reactor_.stop();
  tcp_ports_.end_all(base::EndReason::kDrained);
  drain_timer_.start(kLastWords);
}

void Worker::report(ReportRequest request, std::function<void(Report)> done) {
  reactor_.post(
      [this, request = std::move(request), done = std::move(done)] { done(report_now(request)); });
}

Report Worker::report_now(const ReportRequest& request) const {
  const auto& metrics = parts_.metrics;
  Report out;
  out.workers = 1;
  out.connections_accepted = metrics.connections_accepted.get();
  out.connections_active = metrics.connections_active.get();
  out.connections_waiting = metrics.connections_waiting.get();
  out.requests = metrics.requests.get();
  out.handshake_failures = metrics.handshake_failures.get();
  out.idle_upstream_connections = parts_.pool.size();
  for (const auto slot : request.upstreams) {
    if (const auto* state = parts_.upstream(slot)) {
      report_endpoints(*state, parts_.clock.now(), out.upstreams[slot]);
    }
  }
  for (const auto& name : request.streams) report_stream(name, out.streams[name]);
  if (request.wants_errors) report_errors(parts_.errors, out.errors);
  if (request.sessions) out.sessions = report_sessions(*request.sessions);
  return out;
}

SessionsReport Worker::report_sessions(const SessionsRequest& request) const {
  SessionsReport out;
  out.ended.resize(base::kEndReasons);
  parts_.metrics.for_each_stream(
      [&](const telemetry::StreamLabels& labels, const telemetry::StreamSeries& series) {
        if (!session::is_of_port(labels.stream, request.port)) return;
        out.active += series.active.get();
        for (std::size_t i = 0; i < out.ended.size(); ++i) out.ended[i] += series.ended[i].get();
      });
  session::BusiestSessions busiest(request.most);
  tcp_ports_.show_sessions(request.port, busiest);
  udp_ports_.show_sessions(request.port, busiest);
  out.examined = busiest.examined();
  out.busiest = busiest.take();
  return out;
}

/// Of a port, all that has come through it; of one that shares a port, its own.
void Worker::report_stream(const std::string& name, StreamReport& out) const {
  const auto& metrics = parts_.metrics;
  const auto* part = parts_.table ? parts_.table->streams().find(name) : nullptr;
  const auto* stream = part == nullptr ? nullptr : std::get_if<snapshot::Stream>(part->get());
  if (stream == nullptr || stream->entrance != snapshot::StreamEntrance::kNames) {
    metrics.for_each_stream(name,
                            [&](const telemetry::StreamSeries& series) { add_to(out, series); });
    return;
  }
  const auto* own = metrics.find_stream(
      {std::string(session::port_name(name)), stream->name_space, stream->object});
  if (own != nullptr) add_to(out, *own);
}

void Worker::set_log_rules(std::vector<session::LogRule> rules) {
  reactor_.post(
      [this, rules = std::move(rules)]() mutable { parts_.log_rules.set(std::move(rules)); });
}

void Worker::set_taps(std::vector<telemetry::Tap> taps) {
  reactor_.post([this, taps = std::move(taps)]() mutable { parts_.taps = std::move(taps); });
}

void Worker::set_drained(std::map<std::string, std::set<std::string>> endpoints) {
  reactor_.post([this, endpoints = std::move(endpoints)]() mutable {
    const auto before = std::exchange(drained_, std::move(endpoints));
    for (const auto& [upstream, texts] : before) apply_drained(upstream);
    for (const auto& [upstream, texts] : drained_) apply_drained(upstream);
  });
}

void Worker::apply_drained(const std::string& upstream) {
  if (!parts_.table) return;
  const auto slot = parts_.table->upstream_slot(upstream);
  auto* state = slot ? parts_.upstream(*slot) : nullptr;
  const auto found = drained_.find(upstream);
  if (state == nullptr) return;
  state->set_drained(found == drained_.end() ? std::set<std::string>() : found->second);
}

base::Task<void> Worker::drained() {
  co_await connections_.close();
  reactor_.stop();
}

}  // namespace penstock::worker
