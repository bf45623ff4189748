#include "proxy/control/admin_server.h"

#include <algorithm>
#include <iterator>

#include "proxy/base/log.h"
#include "proxy/control/admin_pages.h"
#include "proxy/session/stream_log.h"

namespace penstock::control {
namespace {

using base::HttpReply;
using base::HttpRequest;
using snapshot::PartKind;

constexpr std::chrono::seconds kRetry{5};

std::int64_t seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - then)
      .count();
}

HttpReply ok(std::string body) { return {200, std::move(body), "application/json", {}}; }

std::size_t count(const snapshot::Snapshot& snapshot, PartKind first, PartKind last) {
  const auto begin = snapshot.parts.lower_bound({first, {}});
  const auto end = std::find_if(begin, snapshot.parts.end(),
                                [&](const auto& each) { return each.first.kind > last; });
  return static_cast<std::size_t>(std::distance(begin, end));
}

}  // namespace

const AdminServer::Row AdminServer::kRows[] = {
    {"GET", "/v1/summary", &AdminServer::summary},
    {"GET", "/v1/hosts", &AdminServer::hosts},
    {"GET", "/v1/upstreams", &AdminServer::upstreams},
    {"GET", "/v1/streams", &AdminServer::streams},
    {"GET", "/v1/certificates", &AdminServer::certificates},
    {"GET", "/v1/errors", &AdminServer::errors},
    {"GET", "/v1/sessions", &AdminServer::sessions},
    {"GET", "/v1/tap", &AdminServer::tap_lines},
    {"GET", "/v1/actions", &AdminServer::actions},
    {"POST", "/v1/drain", &AdminServer::drain},
    {"POST", "/v1/undrain", &AdminServer::undrain},
    {"POST", "/v1/log-level", &AdminServer::log_level},
    {"POST", "/v1/tap", &AdminServer::tap},
    {"POST", "/v1/tap-end", &AdminServer::tap_end},
};

AdminServer::AdminServer(asio::io_context& io, std::string path, AdminSources sources)
    : io_(io),
      path_(std::move(path)),
      sources_(std::move(sources)),
      actions_(io, {[this]() -> const snapshot::Snapshot& { return sources_.client().snapshot(); },
                    sources_.pool}),
      taps_(io, sources_.pool),
      retry_timer_(io) {}

AdminServer::~AdminServer() { *is_alive_ = false; }

void AdminServer::start() {
  auto server = base::HttpServer::listen_local(
      io_, path_, [this, alive = is_alive_](const HttpRequest& request, const Answer& answer) {
        if (*alive) handle(request, answer);
      });
  if (server) {
    server_ = std::move(*server);
    return;
  }
  if (!is_failure_reported_) base::log::warn("no admin socket: {}", server.error().message);
  is_failure_reported_ = true;
  retry_timer_.expires_after(kRetry);
  retry_timer_.async_wait([this, alive = is_alive_](base::error_code code) {
    if (!code && *alive) start();
  });
}

void AdminServer::on_serving(std::uint64_t version) {
  if (version == live_version_) return;
  if (live_version_ == 0) {  // nobody was there to take them
    actions_.push();
    taps_.push();
  }
  live_version_ = version;
  live_since_ = std::chrono::steady_clock::now();
}

void AdminServer::handle(const HttpRequest& request, const Answer& answer) {
  const auto has_path = [&](const Row& row) { return request.path == row.path; };
  const auto known = std::ranges::find_if(kRows, has_path);
  if (known == std::end(kRows)) return answer(base::http_error(404, "no such resource"));
  const auto row = std::ranges::find_if(
      kRows, [&](const Row& each) { return has_path(each) && request.method == each.method; });
  if (row == std::end(kRows)) return answer(base::http_error(405, "not with this method"));
  (this->*row->respond)(request, answer);
}

void AdminServer::report(const worker::ReportRequest& request,
                         std::function<void(worker::Report)> done) {
  auto* pool = sources_.pool();
  if (pool == nullptr) return done({});
  pool->report(request, [done = std::move(done), alive = is_alive_](worker::Report report) {
    if (*alive) done(std::move(report));
  });
}

void AdminServer::errors(const HttpRequest&, const Answer& answer) {
  worker::ReportRequest asked;
  asked.wants_errors = true;
  report(asked, [answer](const worker::Report& report) { answer(ok(errors_json(report))); });
}

void AdminServer::actions(const HttpRequest&, const Answer& answer) { answer(ok(actions_.json())); }

void AdminServer::drain(const HttpRequest& request, const Answer& answer) {
  answer(actions_.drain(request));
}

void AdminServer::undrain(const HttpRequest& request, const Answer& answer) {
  answer(actions_.undrain(request));
}

void AdminServer::log_level(const HttpRequest& request, const Answer& answer) {
  answer(actions_.set_log_level(request));
}

void AdminServer::tap(const HttpRequest& request, const Answer& answer) {
  answer(taps_.begin(request));
}

void AdminServer::tap_lines(const HttpRequest& request, const Answer& answer) {
  answer(taps_.take(request));
}

void AdminServer::tap_end(const HttpRequest& request, const Answer& answer) {
  answer(taps_.end(request));
}

void AdminServer::sessions(const HttpRequest& request, const Answer& answer) {
  auto wanted = sessions_request(request);
  if (!wanted) return answer(base::http_error(400, wanted.error().message));
  worker::ReportRequest asked;
  asked.sessions = std::move(*wanted);
  report(asked, [answer](const worker::Report& report) {
    answer(ok(sessions_json(report.sessions.value_or(worker::SessionsReport()))));
  });
}

void AdminServer::summary(const HttpRequest&, const Answer& answer) {
  report({}, [this, answer](const worker::Report& report) { answer(ok(summary_json(report))); });
}

std::string AdminServer::summary_json(const worker::Report& report) const {
  const auto& client = sources_.client();
  const auto& snapshot = client.snapshot();
  base::JsonWriter json;
  json.begin_object()
      .member("program", "penstock-proxy")
      .member("version", PENSTOCK_VERSION)
      .member("uptime_seconds", seconds_since(started_))
      .member("is_controller_connected", client.is_connected());
  json.key("table")
      .begin_object()
      .member("version", live_version_)
      .member("adopting", snapshot.version)
      .member("age_seconds", live_version_ == 0 ? 0 : seconds_since(live_since_))
      .end_object();
  json.key("counts")
      .begin_object()
      .member("hosts", count(snapshot, PartKind::kHost, PartKind::kHost))
      .member("upstreams", count(snapshot, PartKind::kUpstream, PartKind::kUpstream))
      .member("streams", count(snapshot, PartKind::kStream, PartKind::kUdpStream))
      .member("certificates", count(snapshot, PartKind::kCertificate, PartKind::kCertificate))
      .end_object();
  json.key("traffic")
      .begin_object()
      .member("workers", report.workers)
      .member("requests", report.requests)
      .member("connections_accepted", report.connections_accepted)
      .member("connections_active", report.connections_active)
      .member("connections_waiting", report.connections_waiting)
      .member("tls_handshake_failures", report.handshake_failures)
      .member("idle_upstream_connections", report.idle_upstream_connections)
      .end_object();
  const auto* pool = sources_.pool();
  const auto problems = pool == nullptr ? std::map<std::string, std::string>() : pool->problems();
  json.key("listeners").begin_array();
  const auto* global = snapshot.find<snapshot::Global>(PartKind::kGlobal, "");
  for (const auto& each :
       global == nullptr ? std::vector<snapshot::HttpListener>() : global->listeners) {
    const auto name = worker::listener_name(each);
    const auto problem = problems.find(name);
    json.begin_object()
        .member("name", name)
        .member("problem", problem == problems.end() ? "" : problem->second)
        .end_object();
  }
  json.end_array().key("problems").begin_array();
  for (const auto& [listener, sentence] : problems) json.value(sentence);
  json.end_array().end_object();
  return json.take() + "\n";
}

void AdminServer::hosts(const HttpRequest& request, const Answer& answer) {
  const auto wanted = PageRequest::from(request);
  if (!wanted) return answer(base::http_error(400, wanted.error().message));
  const auto page =
      page_of(sources_.client().snapshot(), PartKind::kHost, PartKind::kHost, *wanted);
  answer(ok(page_json(page, [](base::JsonWriter& json, const Page::Item& item) {
    write_host(json, std::get<snapshot::Host>(*item.second));
  })));
}

void AdminServer::certificates(const HttpRequest& request, const Answer& answer) {
  const auto wanted = PageRequest::from(request);
  if (!wanted) return answer(base::http_error(400, wanted.error().message));
  const auto page = page_of(sources_.client().snapshot(), PartKind::kCertificate,
                            PartKind::kCertificate, *wanted);
  answer(ok(page_json(page, [](base::JsonWriter& json, const Page::Item& item) {
    write_certificate(json, std::get<snapshot::Certificate>(*item.second));
  })));
}

void AdminServer::upstreams(const HttpRequest& request, const Answer& answer) {
  const auto wanted = PageRequest::from(request);
  if (!wanted) return answer(base::http_error(400, wanted.error().message));
  const auto table = sources_.client().table();
  worker::ReportRequest asked;
  for (const auto& [key, part] : page_of_upstreams(sources_.client().snapshot(), *wanted).items) {
    if (const auto slot = table->upstream_slot(key->name)) asked.upstreams.push_back(*slot);
  }
  report(asked, [this, answer, table, wanted = *wanted](const worker::Report& report) {
    // The parts may have changed while the workers were asked.
    const auto page = page_of_upstreams(sources_.client().snapshot(), wanted);
    answer(ok(page_json(page, [&](base::JsonWriter& json, const Page::Item& item) {
      static const std::map<std::string, worker::EndpointReport> kNone;
      const auto slot = table->upstream_slot(item.first->name);
      const auto found = slot ? report.upstreams.find(*slot) : report.upstreams.end();
      const auto& endpoints = found == report.upstreams.end() ? kNone : found->second;
      write_upstream(json, std::get<snapshot::Upstream>(*item.second),
                     sources_.client().snapshot().find<snapshot::Endpoints>(PartKind::kEndpoints,
                                                                            item.first->name),
                     endpoints);
    })));
  });
}

void AdminServer::streams(const HttpRequest& request, const Answer& answer) {
  const auto wanted = PageRequest::from(request);
  if (!wanted) return answer(base::http_error(400, wanted.error().message));
  const auto first = PartKind::kStream;
  const auto last = PartKind::kUdpStream;
  worker::ReportRequest asked;
  for (const auto& [key, part] :
       page_of(sources_.client().snapshot(), first, last, *wanted).items) {
    asked.streams.push_back(key->name);
  }
  report(asked, [this, answer, wanted = *wanted](const worker::Report& report) {
    const auto page = page_of(sources_.client().snapshot(), first, last, wanted);
    const auto* pool = sources_.pool();
    answer(ok(page_json(page, [&](base::JsonWriter& json, const Page::Item& item) {
      const auto& name = item.first->name;
      const auto found = report.streams.find(name);
      const auto* problem =
          pool == nullptr ? nullptr : pool->problem_of(std::string(session::port_name(name)));
      write_stream(json, *item.second,
                   found == report.streams.end() ? worker::StreamReport() : found->second,
                   problem == nullptr ? std::string_view() : *problem);
    })));
  });
}

}  // namespace penstock::control
