#pragma once
// Asks the proxy's admin socket. Answers are bounded in size and time; one that does not come is
// told as a JSON error of status 502. One thread: that of the io_context.
#include <functional>
#include <string>

#include "proxy/base/asio.h"
#include "proxy/base/http_server.h"

namespace penstock::admin {

class ProxyClient {
 public:
  using OnReply = std::function<void(base::HttpReply)>;

  ProxyClient(asio::io_context& io, std::string socket_path)
      : io_(io), path_(std::move(socket_path)) {}
  /// `target` is path and query.
  void ask(const std::string& method, const std::string& target, OnReply on_reply);

 private:
  asio::io_context& io_;
  std::string path_;
};

/// Parameters as a query, with its '?'; empty without any.
std::string query_of(const base::HttpRequest& request);

}  // namespace penstock::admin
