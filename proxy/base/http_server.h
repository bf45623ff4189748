#pragma once
// A small HTTP/1.1 server for people and tools on an io_context that somebody else runs: JSON over
// a Unix socket or a port. It serves no traffic. Heads, bodies, connections and waits are bounded;
// a handler may answer later, as long as it does so on the io_context's thread.
//
// One thread: that of the io_context.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::base {

struct HttpRequest {
  std::string method;
  std::string path;  // without the query, as it was sent
  /// Parameters of the query and of a form body, decoded; the last of a name counts.
  std::map<std::string, std::string, std::less<>> parameters;
  std::string authorization;  // the header's value
  std::string host;           // the same
  Address peer;               // unspecified on a Unix socket

  std::string_view parameter(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : found->second;
  }
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

/// {"error": why} with a status.
HttpReply http_error(int status, std::string_view why);

/// Decodes `name=value&...` (WHATWG URL, application/x-www-form-urlencoded). Nothing where an
/// escape is malformed or there are more than 64.
std::optional<std::map<std::string, std::string, std::less<>>> parse_parameters(
    std::string_view text);

class HttpServer {
 public:
  using Answer = std::function<void(HttpReply)>;
  /// Calls `answer` once, at once or later. A client that is not answered in 15 s is let go.
  using Handler = std::function<void(HttpRequest request, Answer answer)>;
  struct Pem {
    std::string chain;
    std::string key;
  };

  /// On a Unix socket of mode 0600, for processes of this user; takes the place of a socket file
  /// that nobody listens on.
  static Result<std::unique_ptr<HttpServer>> listen_local(asio::io_context& io,
                                                          const std::string& path, Handler handler);
  /// On a port, 0 for any; with TLS where there is a certificate.
  static Result<std::unique_ptr<HttpServer>> listen(asio::io_context& io,
                                                    const TcpEndpoint& endpoint,
                                                    const std::optional<Pem>& pem, Handler handler);
  ~HttpServer();
  /// Where it listens.
  std::uint16_t port() const;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

 private:
  class State;
  explicit HttpServer(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace penstock::base
