#pragma once
// A listening TCP port of one worker. Every worker opens the same port with SO_REUSEPORT and the
// kernel spreads new connections, so that no connection crosses a thread.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/descriptor.h"
#include "proxy/base/result.h"
#include "proxy/net/reactor.h"

namespace penstock::net {

class Listener {
 public:
  /// Non-blocking, TCP_NODELAY set.
  struct Accepted {
    base::Descriptor descriptor;
    base::TcpEndpoint peer;
  };
  using OnAccept = std::function<void(Accepted)>;

  Listener(Reactor& reactor, OnAccept on_accept);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// An empty address listens on every address of both families, with a socket for each: what comes
  /// over IPv4 is then not carried as IPv6. IPv4 alone where the host has no IPv6. Fails with
  /// errno: EADDRINUSE, EACCES.
  base::IoResult<void> open(const std::string& address, std::uint16_t port);
  /// Starts to accept; `on_accept` runs on the worker. Stops at `close`.
  void start();
  void close();
  /// Accepts first who waits: the kernel has told these clients that they are connected, and
  /// `close` would reset them.
  void close_after_waiting();
  std::uint16_t port() const { return port_; }

 private:
  class Door;
  base::IoResult<void> open_endpoint(const base::TcpEndpoint& endpoint);

  Reactor& reactor_;
  OnAccept on_accept_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::uint16_t port_ = 0;
};

}  // namespace penstock::net
