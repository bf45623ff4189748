#include "controller/admin/proxy_client.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>

#include "proxy/base/text.h"

namespace penstock::admin {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::chrono::seconds kPatience{10};
constexpr std::uint64_t kMostBody = 64 << 20;

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, ProxyClient::OnReply on_reply)
      : socket_(io), timer_(io), on_reply_(std::move(on_reply)) {
    parser_.body_limit(kMostBody);
  }

  void start(const std::string& path, const std::string& method, const std::string& target) {
    request_.method_string({method.data(), method.size()});
    request_.target({target.data(), target.size()});
    request_.version(11);
    request_.set(http::field::host, "proxy");
    request_.keep_alive(false);
    request_.prepare_payload();
    timer_.expires_after(kPatience);
    timer_.async_wait([self = shared_from_this()](base::error_code code) {
      if (!code) self->fail("no answer in time");
    });
    socket_.async_connect(asio::local::stream_protocol::endpoint(path),
                          [self = shared_from_this()](base::error_code code) {
                            if (code) return self->fail(code.message());
                            self->exchange();
                          });
  }

 private:
  void exchange() {
    http::async_write(socket_, request_,
                      [self = shared_from_this()](base::error_code code, std::size_t) {
                        if (code) return self->fail(code.message());
                        http::async_read(self->socket_, self->buffer_, self->parser_,
                                         [self](base::error_code failure, std::size_t) {
                                           if (failure) return self->fail(failure.message());
                                           self->finish();
                                         });
                      });
  }
  void finish() {
    auto& message = parser_.get();
    answer({static_cast<int>(message.result_int()),
            std::move(message.body()),
            "application/json",
            {}});
  }
  void fail(const std::string& why) {
    answer(base::http_error(502, "the proxy does not answer: " + why));
  }
  void answer(base::HttpReply reply) {
    timer_.cancel();
    base::error_code ignored;
    socket_.close(ignored);
    if (auto on_reply = std::exchange(on_reply_, nullptr)) on_reply(std::move(reply));
  }

  base::LocalSocket socket_;
  asio::steady_timer timer_;
  ProxyClient::OnReply on_reply_;
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
};

void append_encoded(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool is_plain = base::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          c == '-' || c == '_' || c == '.';
    if (is_plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

}  // namespace

void ProxyClient::ask(const std::string& method, const std::string& target, OnReply on_reply) {
  if (path_.size() >= sizeof(sockaddr_un::sun_path)) {
    return on_reply(base::http_error(502, "the path of the proxy's socket is too long"));
  }
  std::make_shared<Exchange>(io_, std::move(on_reply))->start(path_, method, target);
}

std::string query_of(const base::HttpRequest& request) {
  std::string out;
  for (const auto& [name, value] : request.parameters) {
    out += out.empty() ? '?' : '&';
    append_encoded(out, name);
    out += '=';
    append_encoded(out, value);
  }
  return out;
}

}  // namespace penstock::admin
