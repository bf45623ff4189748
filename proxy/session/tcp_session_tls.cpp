// TLS of a session: with its client, and towards its endpoint.
#include <utility>

#include "proxy/session/mysql_tls.h"
#include "proxy/session/start_tls.h"
#include "proxy/session/stream_tls.h"
#include "proxy/session/tcp_session.h"

namespace penstock::session {

base::Task<bool> TcpSession::secure_client() {
  auto entry = co_await enter_tls(worker_, client_, part_, std::move(early_));
  early_ = std::move(entry.early);
  hello_ = std::move(entry.hello);
  tls_failure_ = std::move(entry.failure);
  co_return entry.is_through;
}

bool TcpSession::needs_preparing(const snapshot::StreamBackend& backend) const {
  return backend.tls.is_enabled || stream_.tls.start_tls == snapshot::StartTls::kSmtp;
}

bool TcpSession::is_greeted_by_server() const {
  return stream_.tls.start_tls == snapshot::StartTls::kMySql;
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
    if (greeting_.empty()) co_return base::io_fail(asio::error::connection_aborted);
    co_return base::IoResult<void>();
  }
  if (!backend.tls.is_enabled) {
    const bool is_greeted = co_await take_greeting(upstream, greeting_);
    if (!is_greeted) co_return base::io_fail(asio::error::connection_aborted);
    co_return base::IoResult<void>();
  }
  const auto secured = co_await secure_upstream(worker_, upstream, part_, backend.tls);
  if (!secured) tls_failure_ = net::tls_failure(upstream);
  co_return secured;
}

base::Task<bool> TcpSession::secure_both(UpstreamConnection& upstream,
                                         const snapshot::StreamBackend& backend) {
  if (!early_.empty()) {
    tls_failure_ = "the client has spoken before the server";
    co_return false;
  }
  const auto greeting = std::exchange(greeting_, {});
  std::string nothing;
  auto entry = co_await enter_tls(worker_, client_, part_, std::move(nothing), greeting);
  tls_failure_ = std::move(entry.failure);
  if (!entry.is_through) co_return false;
  hello_ = std::move(entry.hello);
  side_ = base::Side::kUpstream;
  upstream.deadline.expire_in(stream_.connect_timeout);
  auto secured = co_await upstream.stream.write(entry.request);
  if (secured) secured = co_await secure_upstream(worker_, upstream.stream, part_, backend.tls);
  upstream.deadline.cancel();
  if (!secured) tls_failure_ = net::tls_failure(upstream.stream);
  co_return secured.has_value();
}

std::string_view TcpSession::tls_protocol() const {
  return client_.ssl() == nullptr ? std::string_view() : SSL_get_version(client_.ssl());
}

std::string_view TcpSession::tls_cipher() const {
  return client_.ssl() == nullptr ? std::string_view() : SSL_get_cipher_name(client_.ssl());
}

}  // namespace penstock::session
