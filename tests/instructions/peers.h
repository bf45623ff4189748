#pragma once
// The ends that the proxy talks to, on loopback and in the proxy's own thread: blocking sockets,
// asked only for what has come.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/base/descriptor.h"

namespace penstock::instructions {

/// Something to read, a connection to accept, or the end.
bool has_news(const base::Descriptor& descriptor);

class Peer {
 public:
  explicit Peer(base::Descriptor socket) : socket_(std::move(socket)) {}
  static Peer connect(std::uint16_t port);

  void send(std::string_view bytes) const;
  bool has_news() const { return instructions::has_news(socket_); }
  /// What is there; 0 at the end.
  std::size_t receive() const;

 private:
  base::Descriptor socket_;
};

/// Takes one connection.
class Backend {
 public:
  Backend();
  std::uint16_t port() const { return port_; }
  /// True once there is something to receive.
  bool has_news();
  std::size_t receive() const { return peer_.receive(); }
  void send(std::string_view bytes) const { peer_.send(bytes); }

 private:
  base::Descriptor listener_;
  std::uint16_t port_ = 0;
  Peer peer_{base::Descriptor()};
  bool is_connected_ = false;
};

}  // namespace penstock::instructions
