#include "proxy/session/udp_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/base/ip_net.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/session/stream_error.h"
#include "proxy/session/stream_log.h"
#include "proxy/session/stream_rules.h"
#include "proxy/session/stream_tap.h"
#include "proxy/session/udp_port.h"

namespace penstock::session {
namespace {

/// A longer one is not kept for another endpoint: what is asked over UDP is short.
constexpr std::size_t kMostKept = 4096;
/// Batches taken from one endpoint in a row, so that a flood of answers does not starve others.
constexpr int kMostReplyBatches = 4;

base::TcpEndpoint as_tcp(const base::UdpEndpoint& endpoint) {
  return {endpoint.address(), endpoint.port()};
}

/// What an ICMP message says of the endpoint, as opposed to what is wrong with one datagram.
bool is_of_endpoint(base::error_code code) {
  return code == asio::error::connection_refused || code == asio::error::host_unreachable ||
         code == asio::error::network_unreachable || code == asio::error::network_down;
}

}  // namespace

UdpSession::UdpSession(UdpPort& port, UdpKey key, base::Gate::Pass pass)
    : port_(port),
      worker_(port.worker()),
      key_(std::move(key)),
      client_(base::unmapped(key_.client.address())),
      pass_(std::move(pass)),
      serial_(++worker_.connections),
      begun_(worker_.clock.now()),
      asked_(begun_),
      last_active_(begun_) {}

upstream::UpstreamState* UdpSession::state() const {
  const auto slot = worker_.table->upstream_slot(upstream_);
  return slot ? worker_.upstream(*slot) : nullptr;
}

void UdpSession::read_ids(std::string_view first) {
  if (port_.stream().hash_key != snapshot::HashKey::kQuicConnectionId) return;
  ids_ = std::make_unique<QuicIds>(port_.connection_ids(), first, forget_ids_before());
}

base::SteadyTime UdpSession::forget_ids_before() const {
  return worker_.clock.now() - port_.stream().idle_timeout;
}

std::optional<std::uint64_t> UdpSession::hash_key() const {
  if (ids_ != nullptr && ids_->key()) return ids_->key();
  if (port_.stream().hash_key == snapshot::HashKey::kAddress) return std::nullopt;
  return upstream::source_key(client_, key_.client.port());
}

bool UdpSession::open() {
  if (open_known()) return true;
  const auto key = hash_key();
  backend_pass_ = {};
  auto choice = choose_backend(worker_, port_.stream().backends,
                               key.value_or(upstream::source_key(client_, true)));
  if (choice.backend == nullptr) return false;
  take_backend(std::move(choice));
  auto* upstream = state();
  while (upstream != nullptr) {
    upstream::PickInput input{client_, worker_.clock.now()};
    input.key = key;
    auto lease = upstream->pick(input, tried_);
    if (!lease) return false;
    if (connect(*upstream, std::move(*lease))) return true;
    if (!is_of_endpoint(code_) || !may_try_again()) return false;
  }
  return false;
}

/// A connection that is known stays with its endpoint, also where that takes no new ones.
bool UdpSession::open_known() {
  if (ids_ == nullptr || !ids_->endpoint() || !tried_.empty()) return false;
  auto known = choose_known(worker_, port_.stream().backends, *ids_->endpoint());
  if (known.endpoint == nullptr) return false;
  take_backend(std::move(known.choice));
  auto* upstream = state();
  return upstream != nullptr && connect(*upstream, upstream::Lease(std::move(known.endpoint)));
}

void UdpSession::take_backend(BackendChoice choice) {
  backend_pass_ = std::move(choice.pass);
  upstream_ = choice.backend->upstream;
  sends_proxy_header_ = choice.backend->proxy_protocol == snapshot::ProxyProtocolOut::kV2;
}

bool UdpSession::connect(upstream::UpstreamState& upstream, upstream::Lease lease) {
  const auto endpoint = lease.endpoint();
  const auto opened = try_endpoint(std::move(lease));
  if (opened) return true;
  failure_ = base::connect_failure(opened.error(), false);
  code_ = opened.error();
  tries_.back().failure = failure_;
  write_error(failure_, opened.error());
  if (!is_of_endpoint(code_)) return false;  // no descriptor or local port is left
  tried_.push_back(endpoint);
  endpoint->series->fail(failure_);
  upstream.report_failure(*endpoint, worker_.clock.now());
  return false;
}

base::IoResult<void> UdpSession::try_endpoint(upstream::Lease lease) {
  const auto& address = lease.endpoint()->address;
  tries_.emplace_back().address = address;
  const base::UdpEndpoint endpoint(address.address(), address.port());
  base::Descriptor socket(
      ::socket(endpoint.protocol().family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool is_open =
      socket &&
      ::connect(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
      worker_.reactor.watch_level(socket.get(), *this);
  if (!is_open) return base::io_fail(base::last_error());
  tries_.back().connect = base::Duration(0);
  lease.endpoint()->series->connects.add();
  socket_ = std::move(socket);
  is_coalescing_ = false;
  lease_.emplace(std::move(lease));
  return {};
}

bool UdpSession::may_try_again() const {
  const auto& stream = port_.stream();
  return stream.retries_next_upstream && (stream.tries == 0 || tried_.size() < stream.tries) &&
         tried_.size() < 64;
}

void UdpSession::close() {
  if (!socket_) return;
  worker_.reactor.forget(*this);
  socket_.reset();
}

bool UdpSession::take_request() {
  ++requests_;
  const auto most = port_.stream().max_requests;
  return most != 0 && requests_ >= most;
}

std::string UdpSession::proxy_header() const {
  if (!sends_proxy_header_) return {};
  const auto local = key_.local.address.is_unspecified() ? port_.address() : key_.local.address;
  const net::ProxyAddresses addresses{{client_, key_.client.port()},
                                      {base::unmapped(local), port_.number()}};
  return net::encode_proxy_v2_datagram(addresses);
}

void UdpSession::send(std::span<const std::string_view> datagrams) {
  is_settled_ |= responses_ > 0;
  touch();
  asked_ = last_active_;
  if (!has_asked_ && datagrams.front().size() <= kMostKept) first_ = datagrams.front();
  has_asked_ = true;
  for (const auto& each : datagrams) {
    bytes_received_ += each.size();
    series_->bytes_received.add(each.size());
  }
  if (recording_ != nullptr) record(base::Side::kClient, datagrams);
  if (ids_ != nullptr) hear_client(datagrams);
  while (!datagrams.empty() && !is_ended_) {
    const auto sent = net::send_datagrams(socket_.get(), {}, proxy_header(), datagrams);
    for (const auto& each : datagrams.first(sent.count)) tries_.back().sent += each.size();
    is_first_sent_ |= sent.count > 0;
    datagrams = datagrams.subspan(sent.count);
    if (datagrams.empty()) break;
    if (is_of_endpoint(sent.error)) {
      fail(sent.error);  // the kernel told of an earlier datagram instead of sending this one
      continue;
    }
    port_.count_dropped(1);
    datagrams = datagrams.subspan(1);
  }
  port_.count_dropped(datagrams.size());
  if (!is_ended_ && is_done()) port_.end(*this, base::EndReason::kAnswered);
}

void UdpSession::hear_client(std::span<const std::string_view> datagrams) {
  const auto most = std::size_t{port_.stream().max_sessions} * QuicIds::kMost;
  ids_->hear_client(datagrams, lease_->endpoint()->address, most, forget_ids_before());
}

/// nginx: where the number of requests is bounded the session waits for all of them.
bool UdpSession::is_done() const {
  const auto& stream = port_.stream();
  if (stream.max_requests != 0 && requests_ < stream.max_requests) return false;
  return stream.max_responses != snapshot::UdpStream::kUnlimited &&
         responses_ >= stream.max_responses * requests_;
}

void UdpSession::on_events(std::uint32_t) {
  for (int i = 0; i < kMostReplyBatches && !is_ended_; ++i) {
    auto& batch = port_.batch();
    const auto got = batch.receive(socket_.get());
    if (!got) {
      if (got.error() == asio::error::would_block) break;
      if (is_of_endpoint(got.error())) {
        fail(got.error());
        break;
      }
      continue;  // about one datagram of ours: too long for the way, for instance
    }
    // Worth a system call only where answers come in numbers.
    if (got->size() > 1 && !std::exchange(is_coalescing_, true))
      net::coalesce_received(socket_.get());
    for (auto rest = *got; !rest.empty() && !is_ended_;) {
      const auto part = rest.first(std::min(rest.size(), net::kMostSegments));
      answer(part);
      rest = rest.subspan(part.size());
    }
    if (batch.has_drained()) break;
  }
  if (is_ended_) port_.bury();
}

void UdpSession::answer(std::span<const net::Datagram> datagrams) {
  touch();
  auto& current = tries_.back();
  if (current.header.count() < 0) {
    current.header = std::chrono::duration_cast<base::Duration>(last_active_ - asked_);
    first_ = {};
    if (auto* upstream = state()) {
      upstream->report_success(*lease_->endpoint(), last_active_ - asked_, last_active_);
    }
  }
  std::array<std::string_view, net::kMostSegments> pieces;
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    pieces[i] = datagrams[i].bytes;
    current.received += pieces[i].size();
  }
  if (recording_ != nullptr) record(base::Side::kUpstream, {pieces.data(), datagrams.size()});
  if (ids_ != nullptr) ids_->hear_endpoint({pieces.data(), datagrams.size()});
  responses_ += datagrams.size();
  bytes_sent_ += port_.reply(key_, {pieces.data(), datagrams.size()});
  if (is_done()) port_.end(*this, base::EndReason::kAnswered);
}

/// The endpoint does not take datagrams. As long as it has answered none, another one is asked what
/// this one was asked first.
void UdpSession::fail(base::error_code code) {
  failure_ = base::connect_failure(code, false);
  code_ = code;
  write_error(failure_, code);
  const auto endpoint = lease_->endpoint();
  const auto now = worker_.clock.now();
  endpoint->series->fail(failure_);
  tries_.back().failure = failure_;
  if (auto* upstream = state()) upstream->report_failure(*endpoint, now);
  tries_.back().total = std::chrono::duration_cast<base::Duration>(now - begun_);
  tried_.push_back(endpoint);
  const bool was_sent = std::exchange(is_first_sent_, false);
  if (responses_ != 0 || first_.empty() || !may_try_again()) return port_.end(*this, failure_);
  lease_.reset();
  close();
  if (!open()) return port_.end(*this, failure_);
  if (!was_sent) return;
  const std::string_view again = first_;
  const auto sent = net::send_datagrams(socket_.get(), {}, proxy_header(), {&again, 1});
  tries_.back().sent += sent.count * again.size();
  is_first_sent_ = sent.count == 1;
}

void UdpSession::touch() {
  last_active_ = worker_.clock.now();
  port_.move_to_back(*this);
}

void UdpSession::finish(base::EndReason reason) {
  is_ended_ = true;
  close();
  lease_.reset();
  if (ids_ != nullptr) ids_->release(worker_.clock.now());
  backend_pass_ = {};
  const auto time = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  series_->end(reason, time);
  // What an endpoint did has had its line.
  if (base::is_failure(reason) && tries_.empty()) write_error(reason);
  const bool is_logged = wants_log(worker_, port_.stream().log);
  if (is_logged || !worker_.log_rules.empty()) write_log(reason, time, is_logged);
  if (recording_ != nullptr) recording_->end();
  if (!worker_.taps.empty()) write_tap(reason, time);
  pass_.reset();
}

SessionReport UdpSession::describe() const {
  const auto age = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  SessionReport out;
  out.stream = port_.stream().name;
  out.owner = port_.stream().owner;
  out.protocol = "UDP";
  out.phase = word_of(Phase::kProxying);  // it has an endpoint as long as it lives
  out.client = base::format_endpoint(client_, key_.client.port());
  if (!tries_.empty()) {
    const auto& endpoint = tries_.back().address;
    out.endpoint = base::format_endpoint(endpoint.address(), endpoint.port());
  }
  out.age_ms = static_cast<std::uint64_t>(age.count());
  out.received = bytes_received_;
  out.sent = bytes_sent_;
  return out;
}

void UdpSession::write_log(base::EndReason reason, base::Duration time, bool is_logged) {
  if (!tries_.empty() && tries_.back().total.count() < 0) tries_.back().total = time;
  telemetry::StreamRecord record;
  const auto address = client_.to_string();
  record.client = {this, as_tcp(key_.client), client_, address, false, port_.number(), serial_};
  record.protocol = "UDP";
  record.name = port_.stream().log_name;
  record.reason = reason;
  record.bytes_received = bytes_received_;
  record.bytes_sent = bytes_sent_;
  record.now = worker_.clock.wall();
  record.time = time;
  record.tries = tries_;
  worker_.log_rules.apply(record, worker_.clock.now());
  if (is_logged) session::write_log(worker_, port_.stream().log, record);
}

void UdpSession::show_begin() {
  if (worker_.taps.empty()) return;
  const auto& stream = port_.stream();
  recording_ = tap_begin(worker_, {stream.name, stream.owner, &client_, key_.client.port()});
}

void UdpSession::record(base::Side from, std::span<const std::string_view> datagrams) {
  for (const auto& each : datagrams) recording_->add(from, each);
  if (recording_->is_done()) recording_.reset();
}

void UdpSession::write_tap(base::EndReason reason, base::Duration time) {
  const auto& stream = port_.stream();
  TappedEnd end;
  end.reason = reason;
  end.endpoint = tries_.empty() ? nullptr : &tries_.back().address;
  end.time = time;
  end.received = bytes_received_;
  end.sent = bytes_sent_;
  // One that ends in order may have failed at another endpoint before.
  if (base::is_failure(reason)) {
    end.side = tries_.empty() ? base::Side::kClient : base::Side::kUpstream;
    end.code = code_;
  }
  tap_end(worker_, {stream.name, stream.owner, &client_, key_.client.port()}, end);
}

void UdpSession::write_error(base::EndReason reason, base::error_code code) {
  const auto& stream = port_.stream();
  const bool is_of_endpoint = !tries_.empty();
  const auto client = base::format_endpoint(client_, key_.client.port());
  const auto server = base::format_endpoint(server_address(), port_.number());
  const auto upstream = is_of_endpoint ? base::format_endpoint(tries_.back().address.address(),
                                                               tries_.back().address.port())
                                       : std::string();
  StreamError error;
  error.stream = stream.name;
  error.owner = stream.owner;
  error.protocol = "UDP";
  error.level = stream.log.errors;
  error.reason = reason;
  error.side = is_of_endpoint ? base::Side::kUpstream : base::Side::kClient;
  error.phase = is_of_endpoint ? Phase::kProxying : Phase::kAdmission;
  error.code = code;
  error.client = client;
  error.server = server;
  error.upstream = upstream;
  error.received = bytes_received_;
  error.sent = bytes_sent_;
  log_error(worker_, error);
}

}  // namespace penstock::session
