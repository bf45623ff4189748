#pragma once
// One connection of an HttpServer, over a socket or over TLS. Part of http_server.cpp.
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <memory>
#include <optional>

#include "proxy/base/http_server.h"

namespace penstock::base::http_detail {

namespace beast = boost::beast;
namespace http = beast::http;

inline constexpr std::uint32_t kMostHead = 16 << 10;
inline constexpr std::uint64_t kMostBody = 16 << 10;
inline constexpr std::chrono::seconds kPatience{15};

using Message = http::request<http::string_body>;

/// False where the parameters cannot be read.
bool read_request(const Message& message, HttpRequest& out);

class AnyConnection {
 public:
  virtual ~AnyConnection() = default;
  virtual void close() = 0;
};

template <class Stream>
class Connection final : public AnyConnection,
                         public std::enable_shared_from_this<Connection<Stream>> {
 public:
  /// `handler` outlives it or is cleared by `close`.
  Connection(asio::io_context& io, Stream stream, Address peer,
             std::shared_ptr<const HttpServer::Handler> handler)
      : stream_(std::move(stream)),
        timer_(io),
        peer_(std::move(peer)),
        handler_(std::move(handler)) {}

  void start() {
    if constexpr (requires { stream_.next_layer(); }) {
      be_patient();
      stream_.async_handshake(Stream::server, [self = this->shared_from_this()](error_code code) {
        if (code) return self->close();
        self->read();
      });
    } else {
      read();
    }
  }

  void close() override {
    is_closed_ = true;
    timer_.cancel();
    error_code ignored;
    beast::get_lowest_layer(stream_).close(ignored);
  }

 private:
  void be_patient() {
    timer_.expires_after(kPatience);
    // Holds the connection, also while nothing but an answer is waited for.
    timer_.async_wait([self = this->shared_from_this()](error_code code) {
      if (!code) self->close();
    });
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMostHead);
    parser_->body_limit(kMostBody);
    be_patient();
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](error_code code, std::size_t) {
                       if (code || self->is_closed_) return self->close();
                       self->handle();
                     });
  }

  void handle() {
    HttpRequest request;
    request.peer = peer_;
    if (!read_request(parser_->get(), request)) {
      return reply(http_error(400, "malformed parameters"));
    }
    (*handler_)(std::move(request), [weak = this->weak_from_this()](HttpReply reply) {
      if (const auto self = weak.lock()) self->reply(std::move(reply));
    });
  }

  void reply(HttpReply reply) {
    if (is_closed_ || !parser_) return;
    const auto& request = parser_->get();
    response_ = {http::status::ok, request.version()};
    response_.result(static_cast<unsigned>(reply.status));
    response_.set(http::field::content_type, reply.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : reply.headers) response_.set(name, value);
    response_.keep_alive(request.keep_alive());
    const auto size = reply.body.size();
    if (request.method() != http::verb::head) response_.body() = std::move(reply.body);
    response_.content_length(size);
    parser_.reset();
    be_patient();
    http::async_write(stream_, response_,
                      [self = this->shared_from_this()](error_code code, std::size_t) {
                        if (code || !self->response_.keep_alive()) return self->close();
                        self->read();
                      });
  }

  Stream stream_;
  asio::steady_timer timer_;
  Address peer_;
  std::shared_ptr<const HttpServer::Handler> handler_;
  beast::flat_buffer buffer_{kMostHead + kMostBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  bool is_closed_ = false;
};

}  // namespace penstock::base::http_detail
