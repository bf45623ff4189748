#include "proxy/base/http_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/beast/ssl.hpp>
#include <chrono>
#include <list>

#include "proxy/base/http_connection.h"
#include "proxy/base/json_writer.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::base {
namespace {

using Local = asio::local::stream_protocol;
using LocalAcceptor = asio::basic_socket_acceptor<Local, Executor>;
using TlsStream = asio::ssl::stream<TcpSocket>;

constexpr std::size_t kMostConnections = 32;
/// Where no connection could be taken: descriptors may have run out, and come back.
constexpr std::chrono::milliseconds kPause{100};
constexpr std::size_t kMostParameters = 64;

int hex(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

bool is_own_user(LocalSocket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == geteuid();
}

bool is_listened_on(asio::io_context& io, const std::string& path) {
  LocalSocket probe(io);
  error_code code;
  probe.connect(Local::endpoint(path), code);
  return !code;
}

Result<LocalAcceptor> open_local(asio::io_context& io, const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(fmt::format("{}: too long for a socket's path", path));
  }
  struct stat status{};
  if (lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      return fail(fmt::format("{}: expected a socket or nothing, found a file", path));
    }
    if (is_listened_on(io, path)) {
      return fail(fmt::format("{}: another process is listening here", path));
    }
    unlink(path.c_str());
  }
  LocalAcceptor acceptor(io);
  error_code code;
  acceptor.open(Local(), code);
  const auto mask = umask(0177);  // never open to others, not even for a moment
  if (!code) acceptor.bind(Local::endpoint(path), code);
  umask(mask);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return fail(fmt::format("cannot listen on {}: {}", path, code.message()));
  return acceptor;
}

Result<TcpAcceptor> open_tcp(asio::io_context& io, const TcpEndpoint& endpoint) {
  TcpAcceptor acceptor(io);
  error_code code;
  acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) {
    return fail(fmt::format("cannot listen on {} port {}: {}", endpoint.address().to_string(),
                            endpoint.port(), code.message()));
  }
  return acceptor;
}

}  // namespace

namespace http_detail {

bool read_request(const Message& message, HttpRequest& out) {
  const std::string_view target(message.target().data(), message.target().size());
  const auto mark = target.find('?');
  out.method = std::string(message.method_string());
  out.path = std::string(target.substr(0, mark));
  out.authorization = std::string(message[http::field::authorization]);
  out.host = std::string(message[http::field::host]);
  auto query = parse_parameters(mark == target.npos ? "" : target.substr(mark + 1));
  auto form = parse_parameters(message.body());
  if (!query || !form) return false;
  out.parameters = std::move(*query);
  for (auto& [name, value] : *form) out.parameters[name] = std::move(value);
  return true;
}

}  // namespace http_detail

HttpReply http_error(int status, std::string_view why) {
  JsonWriter json;
  json.begin_object().member("error", why).end_object();
  return {status, json.take() + "\n", "application/json", {}};
}

std::optional<std::map<std::string, std::string, std::less<>>> parse_parameters(
    std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  if (text.empty()) return out;
  for (const auto piece : split(text, '&')) {
    if (piece.empty()) continue;
    const auto at = piece.find('=');
    auto name = decode(piece.substr(0, at));
    auto value = decode(at == piece.npos ? "" : piece.substr(at + 1));
    if (!name || !value || out.size() >= kMostParameters) return std::nullopt;
    out[std::move(*name)] = std::move(*value);
  }
  return out;
}

/// What outlives the server while a completion is on its way.
class HttpServer::State {
 public:
  explicit State(asio::io_context& context, Handler handle)
      : io(context), handler(std::make_shared<const Handler>(std::move(handle))) {}
  virtual ~State() = default;
  virtual void stop() {
    is_stopped = true;
    pause.cancel();
    for (const auto& each : connections) {
      if (const auto connection = each.lock()) connection->close();
    }
  }
  virtual std::uint16_t port() const { return 0; }

  template <class Stream>
  void serve(Stream stream, Address peer) {
    auto connection = std::make_shared<http_detail::Connection<Stream>>(io, std::move(stream),
                                                                        std::move(peer), handler);
    connections.push_back(connection);
    connection->start();
  }
  /// Also tells the log, once until there is room again.
  bool has_room() {
    connections.remove_if([](const auto& each) { return each.expired(); });
    const bool has = connections.size() < kMostConnections;
    if (!has && !is_full) log::warn("an admin server refuses a peer: it has {}", kMostConnections);
    is_full = !has;
    return has;
  }

  template <class Self>
  void accept_again(const std::shared_ptr<Self>& self, error_code code) {
    if (!code) return self->accept();
    pause.expires_after(kPause);
    pause.async_wait([self](error_code is_over) {
      if (!is_over && !self->is_stopped) self->accept();
    });
  }

  asio::io_context& io;
  asio::steady_timer pause{io};
  std::shared_ptr<const Handler> handler;
  std::list<std::weak_ptr<http_detail::AnyConnection>> connections;
  bool is_stopped = false;
  bool is_full = false;
};

namespace {

template <class StateBase>
class LocalState final : public StateBase,
                         public std::enable_shared_from_this<LocalState<StateBase>> {
 public:
  LocalState(asio::io_context& context, HttpServer::Handler handle, LocalAcceptor acceptor,
             std::string path)
      : StateBase(context, std::move(handle)),
        acceptor_(std::move(acceptor)),
        path_(std::move(path)) {}

  void accept() {
    acceptor_.async_accept(
        this->io, [self = this->shared_from_this()](error_code code, LocalSocket socket) {
          if (self->is_stopped || code == asio::error::operation_aborted) return;
          if (!code && !is_own_user(socket)) {
            log::error("{}: a peer is refused: it runs as another user", self->path_);
          } else if (!code && self->has_room()) {
            self->serve(std::move(socket), Address());
          }
          self->accept_again(self, code);
        });
  }
  void stop() override {
    StateBase::stop();
    error_code ignored;
    unlink(path_.c_str());  // as long as it is ours: another process waits for it to be closed
    acceptor_.close(ignored);
  }

 private:
  LocalAcceptor acceptor_;
  std::string path_;
};

template <class StateBase>
class TcpState final : public StateBase, public std::enable_shared_from_this<TcpState<StateBase>> {
 public:
  TcpState(asio::io_context& context, HttpServer::Handler handle, TcpAcceptor acceptor,
           std::shared_ptr<asio::ssl::context> tls)
      : StateBase(context, std::move(handle)),
        acceptor_(std::move(acceptor)),
        tls_(std::move(tls)) {}

  void accept() {
    acceptor_.async_accept(this->io,
                           [self = this->shared_from_this()](error_code code, TcpSocket socket) {
                             if (self->is_stopped || code == asio::error::operation_aborted) return;
                             error_code gone;
                             const auto peer = socket.remote_endpoint(gone).address();
                             if (!code && !gone && self->has_room())
                               self->begin(std::move(socket), peer);
                             self->accept_again(self, code);
                           });
  }
  void stop() override {
    StateBase::stop();
    error_code ignored;
    acceptor_.close(ignored);
  }
  std::uint16_t port() const override {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

 private:
  void begin(TcpSocket socket, const Address& peer) {
    if (tls_) {
      this->serve(TlsStream(std::move(socket), *tls_), peer);
    } else {
      this->serve(std::move(socket), peer);
    }
  }

  TcpAcceptor acceptor_;
  std::shared_ptr<asio::ssl::context> tls_;
};

Result<std::shared_ptr<asio::ssl::context>> make_tls(const HttpServer::Pem& pem) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  error_code code;
  context->use_certificate_chain(asio::buffer(pem.chain), code);
  if (code) return fail("the certificate: " + code.message());
  context->use_private_key(asio::buffer(pem.key), asio::ssl::context::pem, code);
  if (code) return fail("the private key: " + code.message());
  return context;
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen_local(asio::io_context& io,
                                                             const std::string& path,
                                                             Handler handler) {
  auto acceptor = open_local(io, path);
  if (!acceptor) return std::unexpected(acceptor.error());
  auto state =
      std::make_shared<LocalState<State>>(io, std::move(handler), std::move(*acceptor), path);
  state->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(asio::io_context& io,
                                                       const TcpEndpoint& endpoint,
                                                       const std::optional<Pem>& pem,
                                                       Handler handler) {
  std::shared_ptr<asio::ssl::context> tls;
  if (pem) {
    auto made = make_tls(*pem);
    if (!made) return std::unexpected(made.error());
    tls = std::move(*made);
  }
  auto acceptor = open_tcp(io, endpoint);
  if (!acceptor) return std::unexpected(acceptor.error());
  auto state = std::make_shared<TcpState<State>>(io, std::move(handler), std::move(*acceptor),
                                                 std::move(tls));
  state->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() { state_->stop(); }
std::uint16_t HttpServer::port() const { return state_->port(); }

}  // namespace penstock::base
