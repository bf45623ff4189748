#include "controller/admission/server.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <set>

#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Context = std::shared_ptr<asio::ssl::context>;

constexpr std::uint64_t kLargestBody = 9U << 20;
constexpr std::uint32_t kLargestHead = 16U << 10;
constexpr std::chrono::seconds kLongestHandshake{10};
/// Between requests as well: the API server keeps connections.
constexpr std::chrono::seconds kLongestSilence{120};
constexpr std::size_t kMostConnections = 256;

base::Result<Context> make_context(const std::string& chain_pem, const std::string& key_pem) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
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

/// Connections that wait for a verdict. An answer that never comes, because the controller ends,
/// must not keep a connection longer than the loop that it belongs to.
using Waiting = std::set<std::shared_ptr<void>>;

/// One connection. Kept alive by the operation under way, or by `waiting`.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, Context context, const AskJudge& ask,
             std::shared_ptr<char> pass, Waiting& waiting)
      : context_(std::move(context)),
        stream_(std::move(socket), *context_),
        ask_(ask),
        pass_(std::move(pass)),
        waiting_(waiting) {}

  void start() {
    beast::get_lowest_layer(stream_).expires_after(kLongestHandshake);
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](base::error_code code) {
                              if (!code) self->read();
                            });
  }

 private:
  void read() {
    parser_.emplace();
    parser_->body_limit(kLargestBody);
    parser_->header_limit(kLargestHead);
    beast::get_lowest_layer(stream_).expires_after(kLongestSilence);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](base::error_code code, std::size_t) { self->take(code); });
  }

  void take(base::error_code code) {
    if (code == http::error::body_limit) return reply(413, "the body is larger than 9 MiB\n", true);
    if (code) return close();
    const auto& request = parser_->get();
    const bool is_last = !request.keep_alive();
    if (request.method() != http::verb::post) return reply(405, "POST an AdmissionReview\n", true);
    auto review = reader_.read(request.body());
    if (!review) return reply(400, base::escape_controls(review.error().message) + "\n", is_last);
    const auto uid = review->uid;
    if (!review->kind) return reply(200, write_answer(uid, {}), is_last);
    // Nothing of the stream is under way until the verdict has come.
    beast::get_lowest_layer(stream_).expires_never();
    waiting_.insert(shared_from_this());
    ask_(std::move(*review),
         [weak = weak_from_this(), uid, is_last](std::optional<Verdict> verdict) {
           const auto self = weak.lock();
           if (!self) return;
           asio::post(self->stream_.get_executor(), [self, uid, is_last, verdict] {
             self->waiting_.erase(self);
             if (verdict) return self->reply(200, write_answer(uid, *verdict), is_last);
             self->reply(503, "the controller does not know the cluster yet\n", is_last);
           });
         });
  }

  void reply(unsigned status, std::string body, bool is_last) {
    response_.emplace();
    response_->result(status);
    response_->set(http::field::server, "penstock");
    response_->set(http::field::content_type, status == 200 ? "application/json" : "text/plain");
    response_->keep_alive(!is_last);
    response_->body() = std::move(body);
    response_->prepare_payload();
    beast::get_lowest_layer(stream_).expires_after(kLongestSilence);
    http::async_write(stream_, *response_,
                      [self = shared_from_this(), is_last](base::error_code code, std::size_t) {
                        if (code || is_last) return self->close();
                        self->read();
                      });
  }

  void close() {
    beast::get_lowest_layer(stream_).expires_after(kLongestHandshake);
    stream_.async_shutdown([self = shared_from_this()](base::error_code) {});
  }

  Context context_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  const AskJudge& ask_;
  std::shared_ptr<char> pass_;
  Waiting& waiting_;
  ReviewReader reader_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
};

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
  Listener(asio::io_context& io, AskJudge ask) : io_(io), acceptor_(io), ask_(std::move(ask)) {}

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

  void use(Context context) { context_ = std::move(context); }

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
    // Each connection holds one reference to `passes_`.
    const auto open = static_cast<std::size_t>(passes_.use_count()) - 1;
    if (!context_ || open >= kMostConnections) return;
    std::make_shared<Connection>(std::move(socket), context_, ask_, passes_, waiting_)->start();
  }

  asio::io_context& io_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_{io_};
  AskJudge ask_;
  Context context_;
  std::shared_ptr<char> passes_ = std::make_shared<char>();
  Waiting waiting_;
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
  out->thread_ = std::thread([self = out.get()] {
    try {
      self->io_.run();
    } catch (const std::exception& error) {
      base::log::error("the admission webhook has ended: {}", error.what());
    }
  });
  return out;
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
