#include "proxy/session/tcp_session.h"

#include <algorithm>
#include <optional>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/session/proxy_header.h"
#include "proxy/session/stream_log.h"
#include "proxy/session/stream_tap.h"

namespace penstock::session {
namespace {

/// A PROXY header comes with the first bytes or not at all.
constexpr base::Duration kHeaderWait{5'000};
/// Where it may be missing: a proxy sends it with its connection, so that silence means that there
/// is none and the server speaks first.
constexpr base::Duration kOptionalHeaderWait{200};

}  // namespace

/// Ends a session at its time, whether anything moves or not.
class TcpSession::Ending final : public net::Closable {
 public:
  Ending(TcpSession& session, base::EndReason reason)
      : session_(session), reason_(reason), deadline_(session.worker_.wheel, *this) {}
  void end_in(base::Duration time) { deadline_.expire_in(time); }
  void close() override { session_.end(reason_); }

 private:
  TcpSession& session_;
  base::EndReason reason_;
  net::Deadline deadline_;
};

TcpSession::TcpSession(std::shared_ptr<TcpPort> port, net::Listener::Accepted accepted,
                       std::unique_ptr<Arrival> arrival)
    : port_(std::move(port)),
      worker_(port_->worker()),
      table_(worker_.table),
      part_(port_->part()),
      stream_(&std::get<snapshot::Stream>(*part_)),
      series_(port_->series()),
      client_(worker_.reactor, std::move(accepted.descriptor), arrival ? arrival->early.size() : 0),
      peer_(base::unmapped(accepted.peer.address())),
      socket_peer_(accepted.peer) {
  port_->sessions().push_back(*this);
  if (!arrival) return;
  has_hello_ = true;
  hello_ = std::move(arrival->hello);
  early_ = std::move(arrival->early);
  named_ = arrival->named;
  if (named_) peer_ = base::unmapped(named_->source.address());
}

TcpSession::~TcpSession() = default;

void TcpSession::end(base::EndReason reason) {
  if (!ended_by_) ended_by_ = reason;
  client_.close();
  if (upstream_ != nullptr) upstream_->stream.close();
}

void TcpSession::check_endpoint() {
  using enum snapshot::EndpointRemoval;
  const auto& drain = stream_->drain;
  const bool is_gone =
      upstream_ != nullptr && upstream_->lease && upstream_->lease->endpoint()->is_retired;
  if (!is_gone || leaving_ || drain.on_endpoint_removal == kKeep) return;
  if (drain.on_endpoint_removal == kClose) return end(base::EndReason::kEndpointRemoved);
  leaving_ = std::make_unique<Ending>(*this, base::EndReason::kEndpointRemoved);
  leaving_->end_in(drain.after);
}

base::Task<void> TcpSession::serve(std::unique_ptr<TcpSession> session,
                                   [[maybe_unused]] base::Gate::Pass pass) {
  co_await session->run();
}

const snapshot::StreamRule* TcpSession::rule() const {
  return choose_rule(stream_->rules, peer_, hello_);
}

std::uint64_t TcpSession::hash_key() const {
  switch (stream_->hash_key) {
    case snapshot::HashKey::kAddressAndPort:
      return upstream::source_key(peer_, client_port());
    case snapshot::HashKey::kServerName:
      if (!hello_.server_name.empty()) return base::fnv1a(hello_.server_name);
      break;
    case snapshot::HashKey::kAddress:
    case snapshot::HashKey::kQuicConnectionId:
      break;
  }
  return upstream::source_key(peer_, true);
}

base::Task<std::unique_ptr<UpstreamConnection>> TcpSession::connect(
    const snapshot::StreamBackend& backend) {
  const auto slot = table_->upstream_slot(backend.upstream);
  std::vector<upstream::EndpointPtr> tried;
  const auto begun = worker_.clock.now();
  while (slot) {
    auto* state = worker_.upstream(*slot);
    upstream::PickInput input{peer_, worker_.clock.now()};
    input.key = hash_key();
    auto lease = state == nullptr ? std::nullopt : state->pick(input, tried);
    if (!lease) break;
    auto connection = std::make_unique<UpstreamConnection>(worker_.reactor);
    tries_.emplace_back().address = lease->endpoint()->address;
    const auto attempted = worker_.clock.now();
    lease->endpoint()->series->connects.add();
    connection->deadline.expire_in(stream_->connect_timeout);
    upstream_ = connection.get();
    tls_failure_.clear();
    auto connected = co_await connection->stream.connect(lease->endpoint()->address);
    if (connected && needs_preparing(backend)) {
      connected = co_await prepare(connection->stream, backend);
    }
    connection->deadline.cancel();
    if (ended_by_) upstream_ = nullptr;
    if (ended_by_) co_return nullptr;
    state = worker_.upstream(*slot);
    if (connected) {
      const auto now = worker_.clock.now();
      tries_.back().connect = std::chrono::duration_cast<base::Duration>(now - attempted);
      series_->connect_time.observe(telemetry::kConnectTimes, tries_.back().connect);
      if (state != nullptr) state->report_success(*lease->endpoint(), now - begun, now);
      connection->lease.emplace(std::move(*lease));
      co_return connection;
    }
    upstream_ = nullptr;
    connect_failed(*lease->endpoint(), connected.error(), connection->deadline.has_expired());
    if (state != nullptr) state->report_failure(*lease->endpoint(), worker_.clock.now());
    tried.push_back(lease->endpoint());
    const bool is_late =
        stream_->retry_timeout.count() > 0 && worker_.clock.now() - begun >= stream_->retry_timeout;
    const bool is_last = stream_->tries != 0 && tried.size() >= stream_->tries;
    if (!stream_->retries_next_upstream || is_last || is_late) break;
  }
  co_return nullptr;
}

void TcpSession::connect_failed(upstream::Endpoint& endpoint, base::error_code code,
                                bool is_timeout) {
  failure_ = base::connect_failure(code, is_timeout);
  endpoint.series->fail(failure_);
  tries_.back().failure = failure_;
  side_ = base::Side::kUpstream;
  code_ = is_timeout ? base::error_code() : code;
  write_error(failure_);
}

base::Task<bool> TcpSession::read_header() {
  using snapshot::ProxyProtocolIn;
  if (stream_->proxy_protocol == ProxyProtocolIn::kOff || has_hello_) co_return true;
  const bool is_required = stream_->proxy_protocol == ProxyProtocolIn::kRequired;
  // An empty list is that of the tcp-services ConfigMap, which has none: everybody is believed, as
  // in the original. A TCPService cannot leave it empty.
  const bool is_trusted =
      stream_->trusted_proxies.empty() || base::contains(stream_->trusted_proxies, peer_);
  if (!is_trusted) co_return !is_required;
  if (!is_required) {
    const bool speaks = co_await speaks_within(client_, worker_.wheel, kOptionalHeaderWait);
    if (!speaks) co_return client_.is_open();
  }
  net::Deadline deadline(worker_.wheel, client_);
  deadline.expire_in(kHeaderWait);
  auto header = co_await read_proxy_header(client_);
  deadline.cancel();
  if (header.state == net::ProxyHeader::State::kAbsent && !is_required) {
    early_ = std::move(header.bytes);
    co_return client_.is_open();
  }
  if (header.state != net::ProxyHeader::State::kDone) co_return false;
  named_ = header.addresses;
  if (named_) peer_ = base::unmapped(named_->source.address());
  co_return true;
}

std::string TcpSession::proxy_header(snapshot::ProxyProtocolOut version) const {
  if (version == snapshot::ProxyProtocolOut::kNone) return {};
  const auto local = client_.local_endpoint();
  const auto addresses = named_.value_or(
      net::ProxyAddresses{{base::unmapped(socket_peer_.address()), socket_peer_.port()},
                          {base::unmapped(local.address()), local.port()}});
  return version == snapshot::ProxyProtocolOut::kV1 ? net::encode_proxy_v1(addresses)
                                                    : net::encode_proxy_v2(addresses);
}

base::Task<base::IoResult<void>> TcpSession::send_header(net::Stream& upstream,
                                                         snapshot::ProxyProtocolOut version) {
  const auto header = proxy_header(version);
  const auto sent = co_await upstream.write(header, early_);
  co_return sent;
}

base::Task<void> TcpSession::run() {
  begun_ = worker_.clock.now();
  serial_ = ++worker_.connections;
  is_logged_ = wants_log(worker_, stream_->log);
  if (is_logged_ || !worker_.log_rules.empty()) server_ = client_.local_endpoint();
  series_->active.add();
  const auto reason = co_await carry();
  upstream_ = nullptr;
  finish(ended_by_.value_or(reason));
}

base::Task<base::EndReason> TcpSession::carry() {
  using enum base::EndReason;
  const bool is_headed = co_await read_header();
  if (!is_headed) co_return kBadProxyHeader;
  if (!stream_->delegates.empty()) {
    const auto failed = co_await go_by_name();
    if (failed) co_return *failed;
  }
  if (!worker_.taps.empty()) {
    recording_ = tap_begin(worker_, {stream_->name, stream_->owner, &peer_, client_port()});
  }
  phase_ = Phase::kAdmission;
  if (!admits(stream_->access, peer_)) co_return kDenied;
  if (stream_->limits != snapshot::ConnectionLimits()) {
    auto pass = SessionPass::enter(worker_.limits.of(stream_->name), stream_->limits, peer_,
                                   worker_.clock.now());
    if (!pass) co_return kLimit;
    pass_ = std::move(*pass);
  }
  if (stream_->tls.mode != snapshot::StreamTlsMode::kOff && !is_greeted_by_server()) {
    phase_ = Phase::kTlsHandshake;
    const bool is_secured = co_await secure_client();
    if (!is_secured) co_return kTlsFailure;
  }
  record(base::Side::kClient, early_);
  phase_ = Phase::kChoosing;
  const auto* chosen = rule();
  if (chosen == nullptr) co_return kNoRule;
  const auto key = hash_key();
  auto choice = choose_backend(worker_, chosen->backends, key);
  std::unique_ptr<UpstreamConnection> connection;
  phase_ = Phase::kConnecting;
  if (choice.backend != nullptr) connection = co_await connect(*choice.backend);
  if (!connection && !ended_by_ && choice.backend != nullptr && stream_->retries_next_upstream) {
    choice = choose_backend(worker_, chosen->backends, key, choice.backend);
    if (choice.backend != nullptr) connection = co_await connect(*choice.backend);
  }
  if (!connection) {
    side_ = base::Side::kUpstream;
    co_return failure_;
  }
  const auto* backend = choice.backend;
  if (is_greeted_by_server()) {
    const auto failed = co_await secure_both(*connection, *backend);
    if (failed) co_return *failed;
  }
  // Where something came before, the header went before that.
  const auto version =
      needs_preparing(*backend) ? snapshot::ProxyProtocolOut::kNone : backend->proxy_protocol;
  phase_ = Phase::kProxying;
  if (!early_.empty() || version != snapshot::ProxyProtocolOut::kNone) {
    connection->deadline.expire_in(stream_->connect_timeout);
    const auto sent = co_await send_header(connection->stream, version);
    connection->deadline.cancel();
    if (!sent && connection->deadline.has_expired()) co_return kConnectTimeout;
    if (!sent) co_return broken(base::Side::kUpstream, sent.error());
  }
  const auto reason = co_await carry_bytes(*connection);
  co_return reason;
}

base::Task<base::EndReason> TcpSession::carry_bytes(UpstreamConnection& connection) {
  auto& upstream = connection.stream;
  const auto& keepalive = stream_->keepalive;
  for (auto* side : {&client_, &upstream}) {
    side->set_keepalive(keepalive.idle, keepalive.interval, keepalive.probes);
  }
  record(base::Side::kUpstream, greeting_);
  if (!greeting_.empty()) co_await client_.write(greeting_);
  check_endpoint();  // it may have gone while it was connected to
  Ending lifetime(*this, base::EndReason::kMaxSession);
  lifetime.end_in(stream_->longest_session);
  RelayOptions options{stream_->idle_timeout,
                       stream_->client_idle_timeout,
                       stream_->upstream_idle_timeout,
                       stream_->half_close_timeout,
                       stream_->bandwidth,
                       series_.get(),
                       recording_.get()};
  relayed_ = co_await relay(worker_, client_, upstream, options);
  auto& last = tries_.back();
  last.received = upstream.received();
  last.sent = upstream.sent();
  last.total = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  if (!relayed_.error) co_return relayed_.reason.value_or(base::EndReason::kInternal);
  side_ = relayed_.side;
  code_ = relayed_.error;
  co_return relayed_.reason.value_or(base::EndReason::kInternal);
}

base::EndReason TcpSession::broken(base::Side side, base::error_code code) {
  side_ = side;
  code_ = code;
  return base::broken(side, code);
}

void TcpSession::finish(base::EndReason reason) {
  const auto time = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  series_->active.subtract();
  // What the relay has counted as it went, and what it has not.
  series_->bytes_received.add(client_.received() - relayed_.from_client);
  series_->bytes_sent.add(client_.sent() - relayed_.from_upstream);
  series_->end(reason, time);
  // Each attempt to connect that failed has had its line.
  if (base::is_failure(reason) && (phase_ != Phase::kConnecting || tries_.empty())) {
    write_error(reason);
  }
  if (is_logged_ || !worker_.log_rules.empty()) write_log(reason, time);
  if (recording_ != nullptr) recording_->end();
  if (!worker_.taps.empty()) write_tap(reason, time);
}

void TcpSession::write_log(base::EndReason reason, base::Duration time) {
  telemetry::StreamRecord record;
  const auto address = peer_.to_string();
  record.client = {this, socket_peer_, peer_, address, named_.has_value(), stream_->port, serial_};
  record.name = stream_->log_name;
  record.reason = reason;
  record.bytes_received = client_.received();
  record.bytes_sent = client_.sent();
  record.now = worker_.clock.wall();
  record.time = time;
  record.tries = tries_;
  worker_.log_rules.apply(record, worker_.clock.now());
  if (is_logged_) session::write_log(worker_, stream_->log, record);
}

void TcpSession::write_error(base::EndReason reason) {
  if (client_.is_open()) server_ = client_.local_endpoint();
  const auto client = base::format_endpoint(peer_, socket_peer_.port());
  const auto server = server_.port() == 0 ? std::string()
                                          : base::format_endpoint(base::unmapped(server_.address()),
                                                                  server_.port());
  const auto upstream = tries_.empty() ? std::string()
                                       : base::format_endpoint(tries_.back().address.address(),
                                                               tries_.back().address.port());
  StreamError error;
  error.stream = port_name(stream_->name);
  error.owner = stream_->owner;
  error.level = stream_->log.errors;
  error.reason = reason;
  error.side = side_;
  error.phase = phase_;
  error.code = code_;
  error.detail = tls_failure_;
  error.client = client;
  error.server = server;
  error.upstream = upstream;
  error.received = client_.received();
  error.sent = client_.sent();
  log_error(worker_, error);
}

}  // namespace penstock::session
