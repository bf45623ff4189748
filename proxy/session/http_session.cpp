#include "proxy/session/http_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/http/path.h"
#include "proxy/session/trace.h"

namespace penstock::session {
namespace {

constexpr std::size_t kReadSize = 16 << 10;
constexpr base::Duration kLingerTimeout{5'000};
constexpr std::uint64_t kMostLingering = 64 << 20;

constexpr std::array<std::array<char, 2>, 256> make_hex_pairs() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i / 16], kDigits[i % 16]};
  return pairs;
}
constexpr auto kHexPairs = make_hex_pairs();

/// For `$http_<name>` of log lines.
std::string_view find_header(const void* headers, std::string_view name) {
  for (const auto& header : *static_cast<const http::Headers*>(headers)) {
    if (base::equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

http::HeadLimits limits(const snapshot::ClientLimits& client) {
  http::HeadLimits limits;
  limits.max_line = client.large_header_buffer_size.bytes;
  limits.max_head = limits.max_line * std::max(1U, client.large_header_buffers);
  limits.keeps_underscores = client.keeps_underscore_headers;
  return limits;
}

void to_lower(std::string_view text, std::string& out) {
  out.resize(text.size());
  std::ranges::transform(text, out.begin(), [](char c) { return base::to_lower(c); });
}

}  // namespace

HttpSession::HttpSession(WorkerParts& worker, net::Listener::Accepted accepted, bool is_tls,
                         std::uint16_t port)
    : worker_(worker),
      stream_(worker.reactor, std::move(accepted.descriptor)),
      deadline_(worker.wheel, stream_) {
  side_.set_peer(accepted.peer.address());
  side_.server_port = is_tls ? kHttpsPort : port;
  side_.is_tls = is_tls;
  side_.socket_peer = accepted.peer;
  side_.connection = ++worker_.connections;
}

base::Task<void> HttpSession::serve(std::unique_ptr<HttpSession> session, base::Gate::Pass pass) {
  auto& self = *session;
  self.worker_.metrics.connections_accepted.add();
  self.worker_.metrics.connections_active.add();
  const auto& global = self.worker_.table->global();
  self.deadline_.expire_in(global.client.header_timeout);
  bool goes_on = true;
  if (self.side_.is_tls || global.forwarded.uses_proxy_protocol) {
    goes_on = co_await self.begin(pass);
  }
  while (goes_on) {
    if (!self.work_) {
      self.begin_waiting();
      const auto ready = co_await self.stream_.readable();
      self.end_waiting();
      if (!ready) break;
      self.work_ = self.worker_.workspaces.lend();
    }
    const auto next = co_await self.serve_one();
    if (next == Next::kClose) break;
    if (self.work_->input.empty()) self.work_.reset();
  }
  if (self.stream_.ssl() != nullptr) self.stream_.shutdown_send();
  self.worker_.metrics.connections_active.subtract();
}

void HttpSession::begin_waiting() {
  if (served_ == 0) return;
  deadline_.expire_in(worker_.table->global().client.keep_alive);
  worker_.idle_clients.push_back(idle_);
  worker_.metrics.connections_waiting.add();
}

void HttpSession::end_waiting() {
  if (served_ == 0) return;
  idle_.unlink();
  worker_.metrics.connections_waiting.subtract();
}

/// False where the connection ends without an answer; a failure to answer otherwise.
base::Task<bool> HttpSession::read_head(http::HeadFailure& failure) {
  auto& input = work_->input;
  const auto client = worker_.table->global().client;
  const auto head_limits = limits(client);
  http::HeadScanner scanner;
  begun_ = worker_.clock.now();
  received_before_ = stream_.received() - input.unread().size();
  sent_before_ = stream_.sent();
  if (served_ != 0) deadline_.expire_in(client.header_timeout);
  for (;;) {
    // RFC 9112 2.2: an empty line before a request is forgiven.
    while (input.unread().starts_with("\r\n")) input.consume(2);
    if (const auto size = scanner.scan(input.unread()); size != 0) {
      const auto head = input.unread().substr(0, size);
      input.consume(size);
      failure = http::parse_request_head(head, head_limits, work_->request);
      co_return true;
    }
    failure = http::check_partial_request(input.unread(), head_limits);
    if (failure) co_return true;
    input.reserve(kReadSize);
    const auto got = co_await stream_.read_some(input.space());
    if (!got && deadline_.has_expired() && !input.empty()) failure = {408, "head timeout"};
    if (!got || *got == 0) co_return false;
    input.filled(*got);
  }
}

void HttpSession::begin_exchange(const routing::RoutingTable& table) {
  auto& exchange = work_->exchange;
  exchange.reset();
  exchange.request = &work_->request;
  exchange.global = &table.global();
  exchange.texts = &table.texts();
  exchange.is_tls = side_.is_tls;
  exchange.client_address = side_.peer;
}

void HttpSession::begin_serving(const routing::RoutingTable& table) {
  deadline_.cancel();
  begin_exchange(table);
  worker_.metrics.requests.add();
  worker_.metrics.connections_writing.add();
  ++served_;
}

void HttpSession::end_serving(bool is_parsed) {
  worker_.metrics.connections_writing.subtract();
  finish(is_parsed);
}

base::Task<HttpSession::Next> HttpSession::serve_one() {
  http::HeadFailure failure;
  work_->request.keeps_alive = false;
  work_->request.method = {};
  const bool has_come = co_await read_head(failure);
  if (!has_come) co_return Next::kClose;
  const auto table = worker_.table;  // this exchange keeps the table it begins with
  begin_serving(*table);
  auto next = Next::kClose;
  if (failure) {
    next = co_await reply(failure.status, {}, Next::kClose);
  } else {
    next = co_await answer(*table);
  }
  end_serving(!failure);
  if (!work_->pipelined.empty()) {
    work_->input.put(work_->pipelined);
    work_->pipelined.clear();
  }
  co_return next;
}

telemetry::HttpRecord HttpSession::record(bool is_parsed) const {
  const auto& exchange = work_->exchange;
  const auto& request = work_->request;
  telemetry::HttpRecord out;
  out.client = {this,
                side_.socket_peer,
                exchange.client_address,
                side_.peer_text,
                side_.has_proxy_header,
                side_.server_port,
                side_.connection};
  out.requests = served_;
  out.status = exchange.status;
  out.now = worker_.clock.wall();
  out.time = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  out.bytes_sent = stream_.sent() - sent_before_;
  out.body_bytes_sent = out.bytes_sent - std::min(out.bytes_sent, exchange.head_sent);
  out.request_length = stream_.received() - received_before_ - work_->input.unread().size() -
                       work_->pipelined.size();
  out.tries = exchange.tries;
  if (!is_parsed) return out;
  out.method = request.method;
  out.target = request.target;
  out.path = exchange.path;
  out.query = request.query;
  out.host = exchange.host;
  out.scheme = exchange.scheme;
  out.minor_version = request.minor_version;
  out.request_id = exchange.request_id;
  out.header = {&request.headers, find_header};
  if (exchange.route == nullptr) return out;
  const auto& route = *exchange.route;
  out.name_space = route.name_space;
  out.ingress = route.ingress;
  out.service = route.service;
  out.service_port = route.service_port;
  out.route_path = route.path;
  out.host_name = std::get<snapshot::Host>(**exchange.host_part).name;
  out.trace = exchange.trace;
  return out;
}

std::string_view HttpSession::tls_protocol() const {
  return stream_.ssl() == nullptr ? "" : SSL_get_version(stream_.ssl());
}

std::string_view HttpSession::tls_cipher() const {
  const auto* name = stream_.ssl() == nullptr ? nullptr : SSL_get_cipher_name(stream_.ssl());
  return name == nullptr ? "" : name;
}

/// The log line and the metrics of an exchange that is over.
void HttpSession::finish(bool is_parsed) {
  const auto& exchange = work_->exchange;
  if (exchange.status == 0) return;
  const bool is_looked_at = exchange.is_local | exchange.has_failed | (exchange.status >= 500) |
                            !worker_.log_rules.empty();
  if (is_looked_at) {  // one branch for what a good exchange has none of
    note_exchange(worker_.errors, exchange, is_parsed, worker_.clock.wall());
    if (!worker_.log_rules.empty()) {
      worker_.log_rules.apply(record(is_parsed), worker_.clock.now());
    }
  }
  const auto& logs = worker_.logs;
  const bool has_ingress = exchange.route != nullptr && !exchange.route->ingress.empty();
  // What no Ingress matched is not worth a line unless asked for; what could not be read is.
  const bool is_logged = logs.http_is_enabled &&
                         (has_ingress || logs.logs_default_backend || exchange.route == nullptr);
  if (!is_logged && !has_ingress && exchange.trace == nullptr) return;
  auto values = record(is_parsed);
  std::string other;
  if (exchange.client_address != side_.peer) {
    values.client.address_text = other = base::unmapped(exchange.client_address).to_string();
  }
  if (has_ingress) {
    auto* series =
        worker_.metrics.find(*exchange.host_part, *exchange.route, values.method, exchange.status);
    if (series != nullptr) worker_.metrics.observe(*series, values);
  }
  if (exchange.trace != nullptr) end_trace(worker_, exchange, values, begun_);
  if (!is_logged) return;
  logs.http.append(values, worker_.log.lines());
  worker_.log.added();
}

void HttpSession::set_scheme() {
  auto& exchange = work_->exchange;
  const auto& forwarded = exchange.global->forwarded;
  exchange.scheme = side_.is_tls || side_.is_tls_before ? "https" : "http";
  if (!forwarded.is_trusted) return;
  const auto sent = work_->request.headers.value_of(http::Name::kXForwardedProto);
  if (sent == "https" || sent == "http") exchange.scheme = sent;
}

void HttpSession::set_request_id() {
  auto& id = work_->exchange.request_id;
  const auto sent = work_->request.headers.value_of(http::Name::kXRequestId);
  if (!sent.empty()) {
    id = sent;
    return;
  }
  id.resize(32);
  for (std::size_t half = 0; half < 32; half += 16) {
    auto bits = worker_.ids();
    for (std::size_t i = 0; i < 16; i += 2, bits >>= 8) {
      const auto& pair = kHexPairs[bits & 0xff];
      id[half + i] = pair[0];
      id[half + i + 1] = pair[1];
    }
  }
}

base::Task<HttpSession::Next> HttpSession::answer(const routing::RoutingTable& table) {
  auto& exchange = work_->exchange;
  const auto& request = work_->request;
  const auto& client = table.global().client;
  const bool may_go_on = request.keeps_alive && client.keep_alive.count() > 0 &&
                         served_ < client.keep_alive_requests && !worker_.is_draining;
  // A body that is not read stands between this request and the next one.
  const auto after_reply =
      may_go_on && request.framing == http::Framing::kNone ? Next::kRequest : Next::kClose;
  to_lower(request.host, exchange.host);
  const auto path =
      http::normalised(request.path == "*" ? "/" : request.path, exchange.path_storage);
  if (!path) co_return co_await reply(400, {}, Next::kClose);
  exchange.path = *path;
  set_scheme();
  exchange.client_address = client_address(side_, request, table.global().forwarded);

  const auto match = table.find(exchange.host, exchange.path);
  if (match.route == nullptr) co_return co_await reply(404, {}, after_reply);
  exchange.route = match.route->route;
  exchange.host_part = &match.host->part;
  if (exchange.route->policy.trace.is_enabled) begin_trace(worker_, *work_);
  if (match.redirects_to_slash) {
    auto location =
        fmt::format("{}://{}{}/", side_.is_tls ? "https" : "http", exchange.host, request.path);
    if (!request.query.empty()) location.append("?").append(request.query);
    co_return co_await reply(301, location, after_reply);
  }
  const auto* upstream = worker_.upstream(match.route->upstream);
  exchange.has_endpoints = upstream != nullptr && !upstream->empty();
  for (const auto& filter : match.route->filters) {
    auto verdict = filter->on_request(exchange);
    if (verdict.is_next()) continue;
    for (const auto& other : match.route->filters) other->on_response(exchange);
    co_return co_await reply(verdict.status(), verdict.location(), after_reply);
  }
  co_return co_await forward(*match.route, may_go_on);
}

base::Task<HttpSession::Next> HttpSession::forward(const routing::CompiledRoute& route,
                                                   bool may_go_on) {
  set_request_id();
  Forward exchange(worker_, {stream_, deadline_, side_}, *work_, route);
  const auto outcome = co_await exchange.run(may_go_on);
  work_->exchange.status = outcome.status;
  if (outcome.status == kClientClosedRequest) co_return Next::kClose;
  const auto next = outcome.keeps_client ? Next::kRequest : Next::kClose;
  if (outcome.is_answered) co_return next;
  co_return co_await reply(outcome.status, {}, next);
}

base::Task<HttpSession::Next> HttpSession::reply(std::uint16_t status, std::string_view location,
                                                 Next next) {
  auto& exchange = work_->exchange;
  auto& out = work_->out;
  exchange.status = status;
  exchange.is_local = true;
  if (!stream_.is_open()) co_return Next::kClose;
  out.clear();
  append_local_reply(status, location, exchange, next == Next::kClose,
                     work_->request.method != "HEAD", worker_.clock.wall(), out);
  exchange.head_sent = out.find("\r\n\r\n") + 4;
  deadline_.expire_in(kSendTimeout);
  const auto sent = co_await stream_.write(out);
  deadline_.cancel();
  if (!sent) co_return Next::kClose;
  if (next == Next::kClose) co_await linger();
  co_return next;
}

/// What the client is still sending is read and dropped for a moment: closing with unread bytes
/// would reset the connection and could take the answer away from it.
base::Task<void> HttpSession::linger() {
  stream_.shutdown_send();
  deadline_.expire_in(kLingerTimeout);
  std::uint64_t dropped = 0;
  while (dropped < kMostLingering) {
    const auto ready = co_await stream_.readable();
    if (!ready) co_return;
    const auto buffer = worker_.buffers.lend();
    const auto got = co_await stream_.read_some(buffer.span());
    if (!got || *got == 0) co_return;
    dropped += *got;
  }
}

}  // namespace penstock::session
