// TLS of a session: with its client, and towards its endpoint.
#include <utility>

#include "proxy/session/mysql_tls.h"
#include "proxy/session/start_tls.h"
#include "proxy/session/stream_tls.h"
#include "proxy/session/tcp_session.h"

namespace penstock::session {

base::Task<bool> TcpSession::secure_client() {
  const bool is_read = has_hello_ && stream_->tls.mode == snapshot::StreamTlsMode::kPassthrough;
  if (is_read) co_return true;
  auto entry = co_await enter_tls(worker_, client_, part_, std::move(early_), has_hello_);
  early_ = std::move(entry.early);
  hello_ = std::move(entry.hello);
  tls_failure_ = std::move(entry.failure);
  co_return entry.is_through;
}

namespace {

/// The endpoint speaks another protocol than the port is for.
base::IoResult<void> bad_greeting() {
  return base::io_fail(boost::system::errc::make_error_code(boost::system::errc::bad_message));
}

}  // namespace

bool TcpSession::needs_preparing(const snapshot::StreamBackend& backend) const {
  return backend.tls.is_enabled || stream_->tls.start_tls == snapshot::StartTls::kSmtp;
}

bool TcpSession::is_greeted_by_server() const {
  return stream_->tls.start_tls == snapshot::StartTls::kMySql;
}

/// The PROXY header goes before all else, as whoever reads it must know the client before a
/// handshake.
base::Task<base::IoResult<void>> TcpSession::prepare(net::Stream& upstream,
                                                     const snapshot::StreamBackend& backend) {
  const auto header = proxy_header(backend.proxy_protocol);
  if (!header.empty()) {
    const auto sent = co_await upstream.write(header);
    if (!sent) co_return sent;
  }
  if (is_greeted_by_server()) {
    greeting_ = co_await take_mysql_greeting(upstream, tls_failure_);
    co_return greeting_.empty() ? bad_greeting() : base::IoResult<void>();
  }
  if (!backend.tls.is_enabled) {
    const bool is_greeted = co_await take_greeting(upstream, greeting_);
    if (!is_greeted) tls_failure_ = "the endpoint does not greet as SMTP does";
    co_return is_greeted ? base::IoResult<void>() : bad_greeting();
  }
  const auto secured = co_await secure_upstream(worker_, upstream, part_, backend.tls);
  if (!secured) tls_failure_ = net::tls_failure(upstream);
  co_return secured;
}

base::Task<std::optional<base::EndReason>> TcpSession::secure_both(
    UpstreamConnection& upstream, const snapshot::StreamBackend& backend) {
  phase_ = Phase::kTlsHandshake;
  if (!early_.empty()) {
    tls_failure_ = "the client has spoken before the server";
    co_return base::EndReason::kTlsFailure;
  }
  const auto greeting = std::exchange(greeting_, {});
  std::string nothing;
  auto entry = co_await enter_tls(worker_, client_, part_, std::move(nothing), false, greeting);
  tls_failure_ = std::move(entry.failure);
  if (!entry.is_through) co_return base::EndReason::kTlsFailure;
  hello_ = std::move(entry.hello);
  record(base::Side::kUpstream, greeting);
  record(base::Side::kClient, entry.request);
  phase_ = Phase::kConnecting;
  upstream.deadline.expire_in(stream_->connect_timeout);
  auto secured = co_await upstream.stream.write(entry.request);
  if (secured) secured = co_await secure_upstream(worker_, upstream.stream, part_, backend.tls);
  upstream.deadline.cancel();
  if (secured) co_return std::nullopt;
  tls_failure_ = net::tls_failure(upstream.stream);
  auto& endpoint = *upstream.lease->endpoint();
  connect_failed(endpoint, secured.error(), upstream.deadline.has_expired());
  const auto slot = worker_.table->upstream_slot(backend.upstream);
  auto* state = slot ? worker_.upstream(*slot) : nullptr;
  if (state != nullptr) state->report_failure(endpoint, worker_.clock.now());
  co_return failure_;
}

std::string_view TcpSession::tls_protocol() const {
  return client_.ssl() == nullptr ? std::string_view() : SSL_get_version(client_.ssl());
}

std::string_view TcpSession::tls_cipher() const {
  return client_.ssl() == nullptr ? std::string_view() : SSL_get_cipher_name(client_.ssl());
}

}  // namespace penstock::session
