#include "proxy/session/forward.h"

#include <charconv>

#include "proxy/base/text.h"
#include "proxy/http/h1_parser.h"
#include "proxy/session/splice_body.h"
#include "proxy/upstream/retry.h"

namespace penstock::session {

void append_chunk(std::string& out, std::string_view piece, bool is_last) {
  if (!piece.empty()) {
    char size[20];
    const auto end = std::to_chars(size, size + sizeof size, piece.size(), 16).ptr;
    out.append(size, end).append("\r\n").append(piece).append("\r\n");
  }
  if (is_last) out.append("0\r\n\r\n");
}

namespace {

constexpr base::Duration kLinger{5'000};
constexpr base::Duration kFreshlyUsed{500};

}  // namespace

Forward::Forward(WorkerParts& worker, ClientConnection client, Workspace& work,
                 const routing::CompiledRoute& route)
    : worker_(worker),
      client_(client),
      work_(work),
      exchange_(work.exchange),
      route_(route),
      policy_(route.route->policy),
      request_body_(
          client.stream, worker.buffers,
          work.request.framing == http::Framing::kNone ? std::string_view() : work.input.take_all(),
          work.request.framing, work.request.content_length) {
  work_.buffered.clear();
  work_.tried.clear();
}

Forward::~Forward() = default;

Forward::Failure Forward::broken(base::error_code code) const {
  Failure failure;
  failure.is_timeout = connection_->deadline.has_expired();
  failure.status = failure.is_timeout ? 504 : 502;
  failure.reason = failure.is_timeout ? base::EndReason::kUpstreamIdleTimeout
                                      : base::broken(base::Side::kUpstream, code);
  return failure;
}

Forward::Result Forward::fail(Failure failure) {
  failure_ = failure;
  current_try().failure = failure.reason;
  exchange_.has_failed = true;
  return Result::kFailed;
}

std::uint64_t Forward::pool_key() const {
  const auto& backend = policy_.backend;
  if (backend.protocol == snapshot::BackendProtocol::kHttp) return 0;
  return base::fnv1a(backend.virtual_host) | (backend.verifies_certificate ? 2 : 0) | 1;
}

base::Task<Forward::Outcome> Forward::run(bool keeps_client) {
  outcome_.keeps_client = keeps_client;
  if (!request_body_.is_done()) {
    const bool is_good = co_await buffer_body();
    if (!is_good) {
      outcome_.status = body_status_;
      outcome_.keeps_client = false;
      co_return outcome_;
    }
  }
  begun_ = worker_.clock.now();
  bool may_reuse = true;
  for (attempts_ = 1;; ++attempts_) {
    auto* state = worker_.upstream(route_.upstream);
    const upstream::PickInput input{exchange_.client_address, worker_.clock.now()};
    auto lease = state == nullptr ? std::nullopt : state->pick(input, work_.tried);
    if (!lease) {
      outcome_.status = 503;
      break;
    }
    const auto result = co_await attempt(*lease, may_reuse);
    if (is_pumping_) co_await stop_pump();
    if (result == Result::kDone) {
      work_.pipelined = request_body_.rest();
      co_return outcome_;
    }
    connection_.reset();
    if (body_status_ != 0) {
      outcome_.status = body_status_;
      break;
    }
    outcome_.status = failure_.status;
    if (failure_.is_stale && may_reuse && !outcome_.is_answered && request_body_.is_done() &&
        upstream::is_idempotent(exchange_.request->method)) {
      // Not counted as a try: the endpoint never saw the request.
      exchange_.tries.pop_back();
      may_reuse = false;
      --attempts_;
      continue;
    }
    state = worker_.upstream(route_.upstream);
    if (state != nullptr) state->report_failure(*lease->endpoint(), worker_.clock.now());
    lease->endpoint()->series->fail(failure_.reason);
    work_.tried.push_back(lease->endpoint());
    if (!failure_.is_status && !may_try_again()) break;
  }
  outcome_.keeps_client &= request_body_.is_done() && !outcome_.is_answered;
  work_.pipelined = request_body_.rest();
  co_return outcome_;
}

bool Forward::may_try_again() const {
  upstream::Attempt attempt;
  using Ended = upstream::Attempt::Outcome;
  attempt.outcome = failure_.is_timeout   ? Ended::kTimeout
                    : failure_.is_invalid ? Ended::kInvalidHeader
                    : failure_.is_status  ? Ended::kStatus
                                          : Ended::kError;
  attempt.status = failure_.status;
  attempt.number = attempts_;
  attempt.is_request_sent = is_sent_;
  attempt.is_response_started = outcome_.is_answered;
  attempt.can_replay = request_body_.is_done();
  attempt.is_idempotent = upstream::is_idempotent(exchange_.request->method);
  attempt.elapsed = since(begun_);
  return upstream::may_retry(policy_.next_upstream, attempt);
}

/// An answer that another endpoint shall have a chance to better (proxy_next_upstream http_503 and
/// the like). Where none may be asked the answer is passed on as it is.
bool Forward::is_unwanted_status() {
  if (policy_.next_upstream.on_status.empty() || work_.response.status < 300) return false;
  const auto before = failure_;
  failure_ = {};
  failure_.status = work_.response.status;
  failure_.is_status = true;
  failure_.reason = base::EndReason::kBadStatus;
  const auto* state = worker_.upstream(route_.upstream);
  if (state != nullptr && state->size() > work_.tried.size() + 1 && may_try_again()) return true;
  failure_ = before;
  return false;
}

/// Reads the body before an endpoint is bothered with it, as far as the buffer goes. A longer one
/// is streamed from there on, with back-pressure instead of a file.
base::Task<bool> Forward::buffer_body() {
  const auto limit = policy_.body.buffer_size.bytes;
  if (exchange_.request->expects_continue && request_body_.rest().empty()) {
    is_continue_sent_ = true;
    const auto sent = co_await client_.stream.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) {
      body_status_ = kClientClosedRequest;
      co_return false;
    }
  }
  auto& buffered = work_.buffered;
  auto piece = request_body_.next_buffered();
  if (request_body_.is_done() && exchange_.request->framing == http::Framing::kLength) {
    body_ = piece;  // all of it came with the head, and stays where it is
    co_return !is_body_refused();
  }
  for (;; piece = request_body_.next_buffered()) {
    if (piece.empty() && policy_.body.is_buffered && !request_body_.is_done()) {
      client_.deadline.expire_in(exchange_.global->client.body_timeout);
      piece = co_await request_body_.next();
    }
    buffered.append(piece);
    if (is_body_refused()) co_return false;
    if (request_body_.is_done() || buffered.size() >= limit) break;
    if (piece.empty() && !policy_.body.is_buffered) break;
  }
  body_ = buffered;
  client_.deadline.cancel();
  co_return true;
}

bool Forward::is_body_refused() {
  const auto limit = policy_.body.max_size.bytes;
  if (limit != 0 && request_body_.received() > limit) body_status_ = 413;
  switch (request_body_.problem()) {
    case BodyReader::Problem::kNone:
      break;
    case BodyReader::Problem::kMalformed:
      body_status_ = 400;
      break;
    case BodyReader::Problem::kTruncated:
      body_status_ = kClientClosedRequest;
      break;
    case BodyReader::Problem::kConnection:
      body_status_ = client_.deadline.has_expired() ? 408 : kClientClosedRequest;
      break;
  }
  return body_status_ != 0;
}

base::Duration Forward::since(base::SteadyTime begun) const {
  return std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun);
}

void Forward::end_try(base::SteadyTime begun, std::uint64_t received_before) {
  auto& current = current_try();
  current.total = since(begun);
  if (exchange_.trace != nullptr) exchange_.trace->end_try(worker_.clock.now());
  if (current.status == 0) current.status = failure_.status;
  if (connection_) current.received = connection_->stream.received() - received_before;
}

base::Task<Forward::Result> Forward::attempt(upstream::Lease& lease, bool may_reuse) {
  auto& endpoint = *lease.endpoint();
  const auto begun = worker_.clock.now();
  exchange_.tries.emplace_back().address = endpoint.address;
  if (exchange_.trace != nullptr) {
    exchange_.trace->begin_try(exchange_.tries.size() - 1, worker_.trace_ids.span(), begun);
  }
  is_sent_ = false;
  is_reused_ = false;
  if (may_reuse) take_kept(endpoint);
  if (connection_) {
    is_reused_ = true;
    endpoint.series->reuses.add();
  } else if (co_await connect(endpoint) == Result::kFailed) {
    end_try(begun, 0);
    co_return Result::kFailed;
  }
  current_try().connect = since(begun);
  const auto received_before = connection_->stream.received();
  auto headed = co_await send_request();
  if (headed == Result::kDone) headed = co_await read_response_head();
  if (headed == Result::kFailed) {
    end_try(begun, received_before);
    co_return Result::kFailed;
  }
  current_try().header = since(begun);
  current_try().status = work_.response.status;
  if (is_unwanted_status()) {
    current_try().failure = failure_.reason;
    exchange_.has_failed = true;
    end_try(begun, received_before);
    co_return Result::kFailed;
  }
  auto* state = worker_.upstream(route_.upstream);
  if (state != nullptr) {
    state->report_success(endpoint, worker_.clock.now() - begun, worker_.clock.now());
  }
  if (work_.response.status == 101) {
    co_await tunnel();
    end_try(begun, received_before);
    co_return Result::kDone;
  }
  const auto relayed = co_await relay_response();
  end_try(begun, received_before);
  if (relayed == Result::kDone && connection_) {
    ++connection_->requests;
    connection_->deadline.cancel();
    worker_.pool.put(lease.endpoint(), pool_key(), std::move(connection_), worker_.clock.now());
  }
  co_return Result::kDone;
}

/// A kept connection, if a live one is there. For a request that could not be sent again the kernel
/// is asked, too, where the connection has idled so long that its peer may just be closing it.
void Forward::take_kept(const upstream::Endpoint& endpoint) {
  const auto now = worker_.clock.now();
  const bool is_safe = upstream::is_idempotent(exchange_.request->method);
  do {
    connection_ = worker_.pool.take(endpoint, pool_key(), now);
  } while (connection_ && !is_safe && now - connection_->idle_since() > kFreshlyUsed &&
           !connection_->stream.is_surely_quiet());
}

base::Task<Forward::Result> Forward::connect(upstream::Endpoint& endpoint) {
  connection_ = std::make_unique<UpstreamConnection>(worker_.reactor);
  endpoint.series->connects.add();
  auto& stream = connection_->stream;
  connection_->deadline.expire_in(policy_.timeouts.connect);
  const auto connected = co_await stream.connect(endpoint.address);
  if (!connected) {
    auto failure = broken(connected.error());
    failure.reason = base::connect_failure(connected.error(), failure.is_timeout);
    co_return fail(failure);
  }
  if (policy_.backend.protocol == snapshot::BackendProtocol::kHttps) {
    // No server name unless one is configured, as in the original.
    auto ssl = worker_.tls_client.new_session(policy_.backend.virtual_host,
                                              policy_.backend.verifies_certificate);
    const auto secured = co_await stream.handshake(std::move(ssl));
    if (!secured) {
      auto failure = broken(secured.error());
      if (failure.is_timeout) failure.reason = base::EndReason::kConnectTimeout;
      co_return fail(failure);
    }
  }
  co_return Result::kDone;
}

base::Task<Forward::Result> Forward::send_request() {
  const auto& request = *exchange_.request;
  auto& out = work_.out;
  UpstreamBody body;
  if (request_body_.is_done()) {
    body.has_length = request.framing != http::Framing::kNone || !body_.empty();
    body.length = body_.size();
  } else {
    body.is_chunked = request.framing == http::Framing::kChunked;
    body.has_length = !body.is_chunked;
    body.length = request.content_length;
  }
  write_request_head(exchange_, client_.side, policy_.backend, body, out);
  if (body.is_chunked && !body_.empty()) {
    append_chunk(out, body_, false);
  }
  const std::string_view rest = body.is_chunked ? std::string_view() : body_;
  connection_->deadline.expire_in(policy_.timeouts.send);
  is_sent_ = true;
  const auto sent = co_await connection_->stream.write(out, rest);
  if (!sent) {
    auto failure = broken(sent.error());
    failure.is_stale = is_reused_ && !failure.is_timeout;
    co_return fail(failure);
  }
  connection_->deadline.expire_in(policy_.timeouts.read);
  if (!request_body_.is_done()) {
    is_pumping_ = true;
    is_pump_stopped_ = false;
    pump_done_.clear();
    base::spawn("request body", pump_body());
  }
  co_return Result::kDone;
}

/// What is left of the body, while the response may already be coming back.
base::Task<void> Forward::pump_body() {
  for (;;) {
    client_.deadline.expire_in(is_pump_stopped_ ? kLinger : exchange_.global->client.body_timeout);
    const auto piece = co_await request_body_.next();
    if (is_pump_stopped_) {
      // The answer is out; what still arrives is read and dropped, so that the client gets to read
      // the answer before the connection is reset under it.
      if (piece.empty()) break;
      continue;
    }
    if (is_body_refused()) {
      connection_->stream.close();
      break;
    }
    const bool is_sent = co_await pump_piece(piece);
    if (!is_sent || request_body_.is_done()) break;
    if (!may_splice(request_body_, client_.stream, connection_->stream)) continue;
    const TransferSide from{client_.stream, client_.deadline,
                            exchange_.global->client.body_timeout};
    const TransferSide to{connection_->stream, connection_->deadline, policy_.timeouts.send};
    const bool is_moved = co_await splice_body(worker_, request_body_, from, to);
    if (is_body_refused()) {
      connection_->stream.close();
      break;
    }
    if (!is_moved || request_body_.is_done()) break;
  }
  client_.deadline.cancel();
  if (!is_pump_stopped_ && connection_) connection_->deadline.expire_in(policy_.timeouts.read);
  is_pumping_ = false;
  pump_done_.set();
}

base::Task<bool> Forward::pump_piece(std::string_view piece) {
  std::string chunk;
  if (exchange_.request->framing == http::Framing::kChunked) {
    append_chunk(chunk, piece, request_body_.is_done());
    piece = chunk;
  }
  connection_->deadline.expire_in(policy_.timeouts.send);
  // A failed write ends the pump; the reader of the response is told by its own connection.
  const auto sent = co_await connection_->stream.write(piece);
  co_return sent.has_value();
}

base::Task<void> Forward::stop_pump() {
  is_pump_stopped_ = true;
  outcome_.keeps_client = false;
  if (connection_) connection_->stream.close();
  client_.stream.shutdown_send();
  client_.deadline.expire_in(kLinger);
  co_await pump_done_;
}

}  // namespace penstock::session
