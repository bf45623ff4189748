#include "proxy/session/stream_tls.h"

#include <algorithm>
#include <string_view>

#include "proxy/base/log.h"
#include "proxy/base/text.h"
#include "proxy/session/mysql_tls.h"
#include "proxy/session/start_tls.h"
#include "proxy/session/worker_parts.h"

namespace penstock::session {
namespace {

/// Most hellos come at once and are shorter.
constexpr std::size_t kHelloRead = 2 << 10;

const snapshot::Stream& stream_of(const snapshot::PartPtr& part) {
  return std::get<snapshot::Stream>(*part);
}

/// The certificate that covers the name, else the first that there is. Asked at every handshake, so
/// that a new pair of a Secret is live at once.
std::shared_ptr<const net::TlsIdentity> identity_of(const routing::RoutingTable& table,
                                                    const snapshot::StreamTls& tls,
                                                    std::string_view server_name) {
  std::shared_ptr<const net::TlsIdentity> first;
  for (const auto& name : tls.certificates) {
    auto identity = table.identity(name);
    if (!identity) continue;
    if (!server_name.empty() && identity->covers(server_name)) return identity;
    if (!first) first = std::move(identity);
  }
  return first;
}

std::string_view word_of(net::ClientHelloScanner::State state) {
  using enum net::ClientHelloScanner::State;
  switch (state) {
    case kNotTls:
      return "no TLS: the first bytes are not a client's hello";
    case kMalformed:
      return "a malformed hello";
    case kTooLong:
      return "a hello of more than 16 KiB";
    default:
      return "connection closed before the hello was whole";
  }
}

base::error_code no_tls() {
  return boost::system::errc::make_error_code(boost::system::errc::protocol_error);
}

/// Reads until the hello is whole; what was read stays in `entry.early`.
base::Task<void> take_hello(net::Stream& client, TlsEntry& entry) {
  using State = net::ClientHelloScanner::State;
  net::ClientHelloScanner scanner;
  auto& bytes = entry.early;
  auto state = scanner.scan(bytes);
  while (state == State::kIncomplete) {
    const auto before = bytes.size();
    const auto room = net::kMaxClientHello - before;
    bytes.resize(before + std::min(room, std::max(kHelloRead, before)));
    const auto got = co_await client.read_some(std::span(bytes).subspan(before));
    bytes.resize(before + (got ? *got : 0));
    if (!got || *got == 0) break;
    state = scanner.scan(bytes);
  }
  entry.is_through = state == State::kDone;
  if (entry.is_through) {
    entry.hello = scanner.hello();
  } else {
    entry.failure = word_of(state);
  }
}

/// What the client and we have agreed on.
net::ClientHello agreed(SSL* ssl) {
  net::ClientHello hello;
  const auto* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  hello.server_name = base::to_lower(name != nullptr ? name : "");
  if (hello.server_name.ends_with('.')) hello.server_name.pop_back();
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  if (size == 0) return hello;
  hello.protocols += static_cast<char>(size);
  hello.protocols.append(reinterpret_cast<const char*>(protocol), size);
  return hello;
}

base::Task<void> terminate(net::Stream& client, std::shared_ptr<StreamTlsContexts> contexts,
                           bool is_asked, std::string_view greeting, TlsEntry& entry) {
  if (!contexts->server) {
    entry.failure = "the port's TLS settings are not usable";
    co_return;
  }
  const auto protocol = stream_of(contexts->part).tls.start_tls;
  if (protocol == snapshot::StartTls::kMySql) {
    entry.request = co_await await_mysql_request(client, greeting, entry.failure);
    if (entry.request.empty()) co_return;
  } else if (protocol != snapshot::StartTls::kOff && !is_asked) {
    const bool asks = co_await await_start_tls(client, protocol, entry.early, entry.failure);
    if (!asks) co_return;
  }
  auto early = std::exchange(entry.early, {});
  const auto secured = co_await client.handshake(contexts->server->new_session(), std::move(early));
  entry.is_through = secured.has_value();
  if (entry.is_through) {
    entry.hello = agreed(client.ssl());
  } else {
    entry.failure = net::tls_failure(client);
  }
}

}  // namespace

std::shared_ptr<StreamTlsContexts> StreamTlsCache::of(WorkerParts& worker,
                                                      const snapshot::PartPtr& stream) {
  const auto& settings = stream_of(stream);
  auto& known = contexts_[settings.name];
  if (known && known->part == stream) return known;
  if (known && stream_of(known->part).tls == settings.tls) {
    known->part = stream;
    known->clients.clear();
    return known;
  }
  known = std::make_shared<StreamTlsContexts>();
  known->part = stream;
  if (settings.tls.mode != snapshot::StreamTlsMode::kTerminate) return known;
  auto made = net::TlsServerContext::make(settings.tls,
                                          [&worker, tls = settings.tls](std::string_view name) {
                                            return identity_of(*worker.table, tls, name);
                                          });
  if (made) {
    known->server = std::move(*made);
  } else {
    base::log::error("{}: TLS settings are not usable, no connection is taken: {}", settings.name,
                     made.error().message);
  }
  return known;
}

base::Task<TlsEntry> read_hello(net::Stream& client, snapshot::StartTls protocol,
                                std::string early) {
  TlsEntry entry;
  entry.early = std::move(early);
  if (protocol != snapshot::StartTls::kOff) {
    const bool asks = co_await await_start_tls(client, protocol, entry.early, entry.failure);
    if (!asks) co_return entry;
  }
  co_await take_hello(client, entry);
  co_return entry;
}

base::Task<TlsEntry> enter_tls(WorkerParts& worker, net::Stream& client,
                               const snapshot::PartPtr& stream, std::string early, bool is_asked,
                               std::string_view greeting) {
  TlsEntry entry;
  entry.early = std::move(early);
  net::Deadline deadline(worker.wheel, client);
  deadline.expire_in(kTlsWait);
  if (stream_of(stream).tls.mode == snapshot::StreamTlsMode::kPassthrough) {
    co_await take_hello(client, entry);
  } else {
    auto contexts = worker.stream_tls.of(worker, stream);
    co_await terminate(client, std::move(contexts), is_asked, greeting, entry);
  }
  if (deadline.has_expired()) entry.failure = "not done within 10 s";
  co_return entry;
}

base::Task<base::IoResult<void>> secure_upstream(WorkerParts& worker, net::Stream& upstream,
                                                 const snapshot::PartPtr& stream,
                                                 const snapshot::BackendTls& tls) {
  auto contexts = worker.stream_tls.of(worker, stream);
  auto& context = contexts->clients[tls.authorities_pem];
  if (!context) {
    auto made = net::TlsClientContext::make(tls.authorities_pem);
    if (!made) {
      base::log::error("{}: {}", stream_of(stream).name, made.error().message);
      co_return base::io_fail(no_tls());
    }
    context = std::move(*made);
  }
  auto ssl = context->new_session(tls.server_name, tls.verifies);
  if (!tls.certificate.empty()) {
    const auto identity = worker.table->identity(tls.certificate);
    if (!identity || !identity->apply(ssl.get())) {
      co_return base::io_fail(no_tls());
    }
  }
  const auto protocol = stream_of(stream).tls.start_tls;
  if (protocol != snapshot::StartTls::kOff) {
    const bool is_ready = co_await ask_start_tls(upstream, protocol);
    if (!is_ready) co_return base::io_fail(no_tls());
  }
  const auto secured = co_await upstream.handshake(std::move(ssl));
  co_return secured;
}

}  // namespace penstock::session
