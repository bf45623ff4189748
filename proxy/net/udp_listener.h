#pragma once
// A UDP port of one worker. Every worker opens the same port with SO_REUSEPORT; the kernel chooses
// by the addresses and ports of a datagram, so that one client's always come to one worker.
#include <functional>
#include <string>

#include "proxy/base/asio.h"
#include "proxy/base/descriptor.h"
#include "proxy/base/result.h"
#include "proxy/net/reactor.h"

namespace penstock::net {

class UdpListener final : public Watched {
 public:
  /// There are datagrams. What is not taken now is told again.
  using OnReadable = std::function<void()>;

  UdpListener(Reactor& reactor, OnReadable on_readable)
      : reactor_(reactor), on_readable_(std::move(on_readable)) {}
  ~UdpListener() { close(); }
  UdpListener(const UdpListener&) = delete;
  UdpListener& operator=(const UdpListener&) = delete;

  /// An empty address listens on every address of both families (IPv4 alone where the host has no
  /// IPv6). Fails with errno: EADDRINUSE, EACCES.
  base::IoResult<void> open(const std::string& address, std::uint16_t port);
  /// Starts to call `on_readable`, on the worker. Stops at `close`.
  void start() { reactor_.watch_level(descriptor_.get(), *this); }
  void close() override;
  bool is_open() const { return static_cast<bool>(descriptor_); }
  int descriptor() const { return descriptor_.get(); }
  std::uint16_t port() const { return port_; }

 private:
  base::IoResult<void> open_endpoint(const base::UdpEndpoint& endpoint);
  void on_events(std::uint32_t) override { on_readable_(); }

  Reactor& reactor_;
  OnReadable on_readable_;
  base::Descriptor descriptor_;
  std::uint16_t port_ = 0;
};

}  // namespace penstock::net
