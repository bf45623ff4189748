#pragma once
// A listening TCP port of one worker. Every worker opens the same port with SO_REUSEPORT and the
// kernel spreads new connections, so that no connection crosses a thread.
#include <functional>
#include <string>

#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::net {

class Listener {
 public:
  using OnAccept = std::function<void(base::TcpSocket)>;

  Listener(asio::io_context& io, OnAccept on_accept)
      : io_(io), acceptor_(io), timer_(io), on_accept_(std::move(on_accept)) {}

  /// An empty address listens on every address of both families (IPv4 alone where the host has no
  /// IPv6). Fails with errno: EADDRINUSE, EACCES.
  base::IoResult<void> open(const std::string& address, std::uint16_t port);
  /// Starts to accept; `on_accept` runs on the worker. Stops at `close`.
  void start() { accept(); }
  void close();
  std::uint16_t port() const { return port_; }

 private:
  base::IoResult<void> open_endpoint(const base::TcpEndpoint& endpoint);
  void accept();
  void accept_waiting();

  asio::io_context& io_;
  base::TcpAcceptor acceptor_;
  asio::steady_timer timer_;
  OnAccept on_accept_;
  std::uint16_t port_ = 0;
};

}  // namespace penstock::net
