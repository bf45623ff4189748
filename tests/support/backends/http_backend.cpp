#include <fmt/format.h>
#include <openssl/evp.h>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <array>
#include <charconv>
#include <iostream>
#include <optional>

#include "tests/support/backends/backends.h"

namespace penstock::test {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::uint64_t kMostBytes = 4ULL << 30;
constexpr std::size_t kPiece = 64 << 10;

std::optional<std::uint64_t> number_after(std::string_view target, std::string_view prefix) {
  if (!target.starts_with(prefix)) return std::nullopt;
  std::uint64_t value = 0;
  const auto rest = target.substr(prefix.size());
  std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return value;
}

/// What a body of any size comes to.
class Digest {
 public:
  Digest() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void add(const void* data, std::size_t size) {
    EVP_DigestUpdate(context_.get(), data, size);
    size_ += size;
  }
  std::string text() {
    std::array<unsigned char, 32> hash{};
    EVP_DigestFinal_ex(context_.get(), hash.data(), nullptr);
    std::string out = fmt::format("length {} sha256 ", size_);
    for (const auto byte : hash) out += fmt::format("{:02x}", byte);
    return out + "\n";
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
  std::uint64_t size_ = 0;
};

class HttpSession {
 public:
  HttpSession(tcp::socket socket, const std::string& name)
      : socket_(std::move(socket)), name_(name) {}

  asio::awaitable<void> run() {
    for (;;) {
      http::request_parser<http::buffer_body> parser;
      parser.body_limit(kMostBytes);
      parser.header_limit(64 << 10);
      co_await http::async_read_header(socket_, buffer_, parser, asio::use_awaitable);
      auto& request = parser.get();
      const bool is_upgrade = beast::websocket::is_upgrade(request);
      if (is_upgrade) {
        co_await echo_messages(parser);
        co_return;
      }
      if (beast::iequals(request[http::field::expect], "100-continue")) {
        http::response<http::empty_body> go_on(http::status::continue_, 11);
        co_await http::async_write(socket_, go_on, asio::use_awaitable);
      }
      const auto body = co_await read_body(parser);
      const bool is_kept = request.keep_alive();
      co_await answer(request, body);
      if (!is_kept) break;
    }
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

 private:
  /// The digest's text; empty where there was no body.
  asio::awaitable<std::string> read_body(http::request_parser<http::buffer_body>& parser) {
    Digest digest;
    bool has_body = false;
    std::vector<char> piece(kPiece);
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = piece.data();
      body.size = piece.size();
      boost::system::error_code code;
      co_await http::async_read(socket_, buffer_, parser,
                                asio::redirect_error(asio::use_awaitable, code));
      if (code && code != http::error::need_buffer) throw boost::system::system_error(code);
      digest.add(piece.data(), piece.size() - body.size);
      has_body = has_body || piece.size() != body.size;
    }
    co_return has_body ? digest.text() : std::string();
  }

  template <class Request>
  asio::awaitable<void> answer(const Request& request, const std::string& body) {
    const std::string target(request.target());
    if (const auto wait = number_after(target, "/delay/")) {
      asio::steady_timer timer(socket_.get_executor());
      timer.expires_after(std::chrono::milliseconds(*wait));
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (const auto size = number_after(target, "/bytes/")) {
      co_await send_bytes(std::min(*size, kMostBytes), request.keep_alive());
      co_return;
    }
    const auto status = number_after(target, "/status/").value_or(200);
    http::response<http::string_body> response(static_cast<http::status>(status), 11);
    response.set(http::field::content_type, "text/plain");
    response.set(http::field::server, "penstock-demo");
    response.keep_alive(request.keep_alive());
    auto& text = response.body();
    text = fmt::format("server {}\n{} {}\n", name_, std::string(request.method_string()), target);
    for (const auto& field : request) {
      text += fmt::format("{}: {}\n", std::string(field.name_string()), std::string(field.value()));
    }
    text += body;
    if (status == 204 || status == 304) text.clear();
    response.prepare_payload();
    if (request.method() == http::verb::head) {
      http::response<http::empty_body> head(response.base());
      co_await http::async_write(socket_, head, asio::use_awaitable);
    } else {
      co_await http::async_write(socket_, response, asio::use_awaitable);
    }
  }

  asio::awaitable<void> send_bytes(std::uint64_t size, bool is_kept) {
    http::response<http::empty_body> head(http::status::ok, 11);
    head.content_length(size);
    head.keep_alive(is_kept);
    http::response_serializer<http::empty_body> serializer(head);
    co_await http::async_write_header(socket_, serializer, asio::use_awaitable);
    std::string piece(kPiece, '\0');
    for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = static_cast<char>('a' + i % 26);
    while (size > 0) {
      const auto part = std::min<std::uint64_t>(size, piece.size());
      co_await asio::async_write(socket_, asio::buffer(piece, part), asio::use_awaitable);
      size -= part;
    }
  }

  asio::awaitable<void> echo_messages(http::request_parser<http::buffer_body>& parser) {
    beast::websocket::stream<tcp::socket> stream(std::move(socket_));
    stream.read_message_max(16 << 20);
    stream.auto_fragment(false);
    co_await stream.async_accept(parser.release(), asio::use_awaitable);
    beast::flat_buffer message;
    for (;;) {
      co_await stream.async_read(message, asio::use_awaitable);
      stream.text(stream.got_text());
      co_await stream.async_write(message.data(), asio::use_awaitable);
      message.clear();
    }
  }

  tcp::socket socket_;
  const std::string& name_;
  beast::flat_buffer buffer_{64 << 10};
};

asio::awaitable<void> serve(std::unique_ptr<HttpSession> session) { co_await session->run(); }

asio::awaitable<void> accept(tcp::acceptor acceptor, std::string name) {
  const auto executor = acceptor.get_executor();
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    socket.set_option(tcp::no_delay(true));
    auto session = std::make_unique<HttpSession>(std::move(socket), name);
    asio::co_spawn(executor, serve(std::move(session)), [](const std::exception_ptr&) {});
  }
}

}  // namespace

void serve_http(asio::io_context& io, const tcp::endpoint& at, const std::string& name) {
  asio::co_spawn(io, accept(listen(io, at), name), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

}  // namespace penstock::test
