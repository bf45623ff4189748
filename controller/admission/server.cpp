#include "controller/admission/server.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>

#include "controller/admission/connection.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

constexpr std::size_t kMostConnections = 128;

base::Result<TlsContext> make_context(const std::string& chain_pem, const std::string& key_pem) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION);
  base::error_code code;
  context->use_certificate_chain(asio::buffer(chain_pem), code);
  if (!code) context->use_private_key(asio::buffer(key_pem), asio::ssl::context::pem, code);
  const bool fits = !code && SSL_CTX_check_private_key(context->native_handle()) == 1;
  ERR_clear_error();
  if (!fits) {
    return base::fail(code ? code.message() : "the certificate and the key do not belong together");
  }
  return context;
}

base::Result<asio::ip::tcp::endpoint> endpoint_of(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto bad = [&] {
    return base::fail(fmt::format("expected an address such as :8443, got '{}'", text));
  };
  if (colon == text.npos) return bad();
  const auto port = base::parse_integer<std::uint16_t>(text.substr(colon + 1));
  if (!port) return bad();
  if (colon == 0) return asio::ip::tcp::endpoint(asio::ip::tcp::v6(), *port);
  auto host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  base::error_code code;
  const auto address = asio::ip::make_address(host, code);
  if (code) return bad();
  return asio::ip::tcp::endpoint(address, *port);
}

}  // namespace

/// On the server's thread alone.
class Server::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& io, AskJudge ask) : acceptor_(io), pause_(io) {
    connections_.ask = std::move(ask);
  }

  base::Result<std::uint16_t> open(asio::ip::tcp::endpoint endpoint) {
    base::error_code code;
    acceptor_.open(endpoint.protocol(), code);
    if (code && endpoint.address().is_unspecified()) {  // a node without IPv6
      endpoint = {asio::ip::tcp::v4(), endpoint.port()};
      code.clear();
      acceptor_.open(endpoint.protocol(), code);
    }
    if (!code) acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true), code);
    if (!code) acceptor_.bind(endpoint, code);
    if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
    if (code) return base::fail(code.message());
    accept();
    return acceptor_.local_endpoint().port();
  }

  void use(TlsContext context) { context_ = std::move(context); }

 private:
  void accept() {
    acceptor_.async_accept(
        [self = shared_from_this()](base::error_code code, asio::ip::tcp::socket socket) {
          if (code == asio::error::operation_aborted) return;
          if (code) return self->accept_later();
          self->take(std::move(socket));
          self->accept();
        });
  }

  /// Out of descriptors, mostly: to try at once would only burn time.
  void accept_later() {
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([self = shared_from_this()](base::error_code code) {
      if (!code) self->accept();
    });
  }

  void take(asio::ip::tcp::socket socket) {
    if (!context_ || !has_room()) return;
    auto made = std::make_shared<Connection>(std::move(socket), context_, connections_);
    connections_.open.emplace(made.get(), made);
    made->start();
  }

  /// Where there is none, the connection that has been idle for longest makes it.
  bool has_room() {
    auto& open = connections_.open;
    if (open.size() < kMostConnections) return true;
    std::shared_ptr<Connection> oldest;
    for (const auto& [_, each] : open) {
      const bool is_older = oldest == nullptr || each->idle_since() < oldest->idle_since();
      if (each->is_idle() && is_older) oldest = each;
    }
    if (oldest) oldest->drop();
    return oldest != nullptr;
  }

  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  TlsContext context_;
  Connections connections_;
};

base::Result<std::unique_ptr<Server>> Server::start(const std::string& address, AskJudge ask) {
  const auto endpoint = endpoint_of(address);
  if (!endpoint) return base::fail("--validating-webhook: " + endpoint.error().message);
  std::unique_ptr<Server> out(new Server);
  out->listener_ = std::make_shared<Listener>(out->io_, std::move(ask));
  const auto port = out->listener_->open(*endpoint);
  if (!port) {
    return base::fail(fmt::format("--validating-webhook: cannot listen on {}: {}", address,
                                  port.error().message));
  }
  out->port_ = *port;
  out->thread_ = std::thread([self = out.get()] { self->run(); });
  return out;
}

/// Memory that one review did not get must not cost the next one its answer.
void Server::run() {
  while (!io_.stopped()) {
    try {
      io_.run();
    } catch (const std::exception& error) {
      base::log::error("admission: a review was given up: {}", error.what());
    }
  }
}

Server::~Server() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

base::Result<void> Server::set_certificate(const std::string& chain_pem,
                                           const std::string& key_pem) {
  auto context = make_context(chain_pem, key_pem);
  if (!context) return std::unexpected(context.error());
  asio::post(io_, [listener = listener_, made = std::move(*context)] { listener->use(made); });
  return {};
}

}  // namespace penstock::admission
