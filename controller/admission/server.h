#pragma once
// HTTPS for the API server: takes an AdmissionReview, asks the judge, answers. On a thread of its
// own, so that handshakes and JSON wait for nothing that the controller does.
//
// HTTP/1.1, bodies of at most 9 MiB and of 32 MiB together, a bounded number of connections, and
// every wait has an end. Without a certificate connections are closed.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "controller/admission/review.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::admission {

/// From any thread, once. Nothing: there is no verdict yet, and the API server is answered 503.
using Answer = std::function<void(std::optional<Verdict>)>;
/// Called on the server's thread.
using AskJudge = std::function<void(Review, Answer)>;

class Server {
 public:
  /// `address` is ":8443" or "127.0.0.1:8443"; port 0 takes a free one.
  static base::Result<std::unique_ptr<Server>> start(const std::string& address, AskJudge ask);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// For connections from now on; from any thread. What cannot be used changes nothing.
  base::Result<void> set_certificate(const std::string& chain_pem, const std::string& key_pem);
  std::uint16_t port() const { return port_; }

 private:
  class Listener;
  Server() = default;
  void run();

  asio::io_context io_{1};
  std::shared_ptr<Listener> listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace penstock::admission
