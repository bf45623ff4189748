#include "proxy/session/http_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/http/path.h"
#include "proxy/session/proxy_header.h"

namespace penstock::session {
namespace {

constexpr std::size_t kReadSize = 4096;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::uint16_t kClientClosed = 499;  // nginx's word for it; never sent

/// For `$http_<name>` of log lines.
std::string_view find_header(const void* headers, std::string_view name) {
  for (const auto& header : *static_cast<const http::Headers*>(headers)) {
    if (base::equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

}  // namespace

HttpSession::HttpSession(WorkerParts& worker, net::Listener::Accepted accepted, bool is_tls,
                         std::uint16_t port)
    : worker_(worker),
      stream_(worker.reactor, std::move(accepted.descriptor)),
      deadline_(worker.wheel, stream_) {
  side_.peer = base::unmapped(accepted.peer.address());
  side_.server_port = is_tls ? kHttpsPort : port;
  side_.is_tls = is_tls;
  side_.socket_peer = accepted.peer;
  side_.connection = ++worker_.connections;
}

base::Task<void> HttpSession::serve(std::unique_ptr<HttpSession> session,
                                    [[maybe_unused]] base::Gate::Pass pass) {
  co_await session->run();
}

base::Task<void> HttpSession::run() {
  worker_.metrics.connections_accepted.add();
  worker_.metrics.connections_active.add();
  const bool is_ready = co_await begin();
  auto next = is_ready ? Next::kRequest : Next::kClose;
  while (next == Next::kRequest) next = co_await serve_one();
  if (is_ready && stream_.is_open()) stream_.shutdown_send();
  worker_.metrics.connections_active.subtract();
}

base::Task<bool> HttpSession::begin() {
  const auto table = worker_.table;
  deadline_.expire_in(table->global().client.header_timeout);
  if (table->global().forwarded.uses_proxy_protocol &&
      !co_await read_proxy_header(table->global().forwarded)) {
    co_return false;
  }
  if (!side_.is_tls) co_return true;
  if (!worker_.tls_server) co_return false;
  const auto secured = co_await stream_.handshake(worker_.tls_server->new_session());
  if (!secured) worker_.metrics.handshake_failures.add();
  co_return secured.has_value();
}

/// False where the connection must end: no header, a malformed one, or a peer that is not trusted.
base::Task<bool> HttpSession::read_proxy_header(const snapshot::ForwardedHeaders& forwarded) {
  const bool is_trusted =
      forwarded.trusted_networks.empty() ||
      std::ranges::any_of(forwarded.trusted_networks,
                          [&](const base::IpNet& net) { return net.contains(side_.peer); });
  if (!is_trusted) co_return false;
  const auto header = co_await session::read_proxy_header(stream_);
  if (header.state != net::ProxyHeader::State::kDone) co_return false;
  if (!header.addresses) co_return true;
  side_.has_proxy_header = true;
  side_.peer = base::unmapped(header.addresses->source.address());
  side_.is_tls_before = header.addresses->destination.port() == kHttpsPort;
  co_return true;
}

http::HeadLimits HttpSession::limits(const snapshot::ClientLimits& client) const {
  http::HeadLimits limits;
  limits.max_line = client.large_header_buffer_size.bytes;
  limits.max_head = limits.max_line * std::max(1U, client.large_header_buffers);
  limits.keeps_underscores = client.keeps_underscore_headers;
  return limits;
}

/// False where the connection ends without an answer; a failure to answer otherwise.
base::Task<bool> HttpSession::read_head(http::HeadFailure& failure) {
  const auto client = worker_.table->global().client;
  const auto head_limits = limits(client);
  http::HeadScanner scanner;
  bool has_begun = served_ == 0;
  begun_ = worker_.clock.now();
  received_before_ = stream_.received() - input_.unread().size();
  sent_before_ = stream_.sent();
  if (!has_begun) deadline_.expire_in(client.keep_alive);
  for (;;) {
    // RFC 9112 2.2: an empty line before a request is forgiven.
    while (input_.unread().starts_with("\r\n")) input_.consume(2);
    if (!input_.empty() && !has_begun) {
      has_begun = true;
      begun_ = worker_.clock.now();
      deadline_.expire_in(client.header_timeout);
    }
    if (const auto size = scanner.scan(input_.unread()); size != 0) {
      head_bytes_.assign(input_.unread().substr(0, size));
      input_.consume(size);
      failure = http::parse_request_head(head_bytes_, head_limits, request_);
      co_return true;
    }
    failure = http::check_partial_request(input_.unread(), head_limits);
    if (failure) co_return true;
    input_.reserve(kReadSize);
    base::IoResult<std::size_t> got;
    if (has_begun) {
      got = co_await stream_.read_some(input_.space());
    } else {
      got = co_await read_while_idle();
    }
    if (!got && deadline_.has_expired() && !input_.empty()) failure = {408, "head timeout"};
    if (!got || *got == 0) co_return false;
    input_.filled(*got);
  }
}

base::Task<base::IoResult<std::size_t>> HttpSession::read_while_idle() {
  auto& idle = worker_.idle_clients;
  idle.splice(idle.begin(), idle_node_);
  const auto node = idle.begin();
  worker_.metrics.connections_waiting.add();
  const auto got = co_await stream_.read_some(input_.space());
  worker_.metrics.connections_waiting.subtract();
  idle_node_.splice(idle_node_.begin(), idle, node);
  co_return got;
}

base::Task<HttpSession::Next> HttpSession::serve_one() {
  http::HeadFailure failure;
  request_.keeps_alive = false;
  if (!co_await read_head(failure)) co_return Next::kClose;
  deadline_.cancel();
  const auto table = worker_.table;  // this exchange keeps the table it begins with
  exchange_ = filters::Exchange{};
  exchange_.request = &request_;
  exchange_.global = &table->global();
  exchange_.is_tls = side_.is_tls;
  exchange_.client_address = side_.peer;
  worker_.metrics.requests.add();
  ++served_;
  auto next = Next::kClose;
  if (failure) {
    next = co_await reply(failure.status, {}, Next::kClose);
  } else {
    next = co_await answer(*table);
  }
  finish(!failure);
  co_return next;
}

telemetry::HttpRecord HttpSession::record(bool is_parsed) const {
  telemetry::HttpRecord out;
  out.client = {side_.socket_peer, exchange_.client_address,     side_.has_proxy_header,
                side_.server_port, stream_.local_endpoint().address(), side_.connection};
  out.requests = served_;
  out.status = exchange_.status;
  out.now = worker_.clock.wall();
  out.time = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  out.bytes_sent = stream_.sent() - sent_before_;
  out.body_bytes_sent = out.bytes_sent - std::min(out.bytes_sent, exchange_.head_sent);
  out.request_length = stream_.received() - received_before_ - input_.unread().size();
  out.tries = exchange_.tries;
  if (side_.is_tls && stream_.ssl() != nullptr) {
    out.tls_protocol = SSL_get_version(stream_.ssl());
    const auto* cipher = SSL_get_cipher_name(stream_.ssl());
    out.tls_cipher = cipher == nullptr ? "" : cipher;
  }
  if (!is_parsed) return out;
  out.method = request_.method;
  out.target = request_.target;
  out.path = exchange_.path;
  out.query = request_.query;
  out.host = exchange_.host;
  out.scheme = exchange_.scheme;
  out.minor_version = request_.minor_version;
  out.request_id = exchange_.request_id;
  out.header = {&request_.headers, find_header};
  if (exchange_.route == nullptr) return out;
  const auto& route = *exchange_.route;
  out.name_space = route.name_space;
  out.ingress = route.ingress;
  out.service = route.service;
  out.service_port = route.service_port;
  out.route_path = route.path;
  out.host_name = std::get<snapshot::Host>(**exchange_.host_part).name;
  return out;
}

/// The log line and the metrics of an exchange that is over.
void HttpSession::finish(bool is_parsed) {
  if (exchange_.status == 0) return;
  const auto& logs = worker_.logs;
  const bool has_ingress = exchange_.route != nullptr && !exchange_.route->ingress.empty();
  // What no Ingress matched is not worth a line unless asked for; what could not be read is.
  const bool is_logged = logs.http_is_enabled &&
                         (has_ingress || logs.logs_default_backend || exchange_.route == nullptr);
  if (!is_logged && !has_ingress) return;
  const auto values = record(is_parsed);
  if (has_ingress) {
    auto* series = worker_.metrics.find(*exchange_.host_part, *exchange_.route, request_.method,
                                        exchange_.status);
    if (series != nullptr) worker_.metrics.observe(*series, values);
  }
  if (!is_logged) return;
  logs.http.append(values, worker_.log.lines());
  worker_.log.added();
}

void HttpSession::set_scheme() {
  const auto& forwarded = exchange_.global->forwarded;
  exchange_.scheme = side_.is_tls || side_.is_tls_before ? "https" : "http";
  if (!forwarded.is_trusted) return;
  const auto sent = request_.headers.value_of(http::Name::kXForwardedProto);
  if (sent == "https" || sent == "http") exchange_.scheme = sent;
}

std::string HttpSession::request_id() {
  const auto sent = request_.headers.value_of(http::Name::kXRequestId);
  if (!sent.empty()) return std::string(sent);
  return fmt::format("{:016x}{:016x}", worker_.ids(), worker_.ids());
}

base::Task<HttpSession::Next> HttpSession::answer(const routing::RoutingTable& table) {
  const auto& client = table.global().client;
  const bool may_go_on = request_.keeps_alive && client.keep_alive.count() > 0 &&
                         served_ < client.keep_alive_requests && !worker_.is_draining;
  // A body that is not read stands between this request and the next one.
  const auto after_reply =
      may_go_on && request_.framing == http::Framing::kNone ? Next::kRequest : Next::kClose;
  exchange_.host = http::host_of(request_.authority);
  if (!http::normalise_path(request_.path == "*" ? "/" : request_.path, exchange_.path)) {
    co_return co_await reply(400, {}, Next::kClose);
  }
  set_scheme();
  exchange_.client_address = client_address(side_, request_, table.global().forwarded);

  const auto match = table.find(exchange_.host, exchange_.path);
  if (match.route != nullptr) {
    exchange_.route = match.route->route;
    exchange_.host_part = &match.host->part;
  }
  if (match.route == nullptr) co_return co_await reply(404, {}, after_reply);
  if (match.redirects_to_slash) {
    auto location =
        fmt::format("{}://{}{}/", side_.is_tls ? "https" : "http", exchange_.host, request_.path);
    if (!request_.query.empty()) location.append("?").append(request_.query);
    co_return co_await reply(301, location, after_reply);
  }
  const auto* upstream = worker_.upstream(match.route->upstream);
  exchange_.has_endpoints = upstream != nullptr && !upstream->empty();
  for (const auto& filter : match.route->filters) {
    auto verdict = filter->on_request(exchange_);
    if (verdict.is_next()) continue;
    for (const auto& other : match.route->filters) other->on_response(exchange_);
    co_return co_await reply(verdict.status(), verdict.location(), after_reply);
  }
  const ClientConnection connection{stream_, deadline_, input_, side_};
  exchange_.request_id = request_id();
  Forward forward(worker_, connection, exchange_, *match.route);
  const auto outcome = co_await forward.run(may_go_on);
  exchange_.status = outcome.status;
  if (outcome.status == kClientClosed) co_return Next::kClose;
  if (outcome.is_answered) co_return outcome.keeps_client ? Next::kRequest : Next::kClose;
  co_return co_await reply(outcome.status, {},
                           outcome.keeps_client ? Next::kRequest : Next::kClose);
}

base::Task<HttpSession::Next> HttpSession::reply(std::uint16_t status, std::string_view location,
                                                 Next next) {
  exchange_.status = status;
  if (!stream_.is_open()) co_return Next::kClose;
  std::string out;
  append_local_reply(status, location, exchange_, next == Next::kClose, request_.method != "HEAD",
                     worker_.clock.wall(), out);
  exchange_.head_sent = out.find("\r\n\r\n") + 4;
  deadline_.expire_in(base::Duration(60'000));
  const auto sent = co_await stream_.write(out);
  deadline_.cancel();
  if (!sent) co_return Next::kClose;
  if (next == Next::kRequest) co_return next;
  // What the client is still sending is read and dropped for a moment: closing with unread bytes
  // would reset the connection and could take the answer away from it.
  stream_.shutdown_send();
  deadline_.expire_in(base::Duration(5'000));
  std::uint64_t dropped = 0;
  while (dropped < (64U << 20)) {
    input_.consume(input_.unread().size());
    input_.reserve(kReadSize);
    const auto got = co_await stream_.read_some(input_.space());
    if (!got || *got == 0) break;
    dropped += *got;
  }
  co_return Next::kClose;
}

}  // namespace penstock::session
