#pragma once
// Ports for listeners of a test. A port that the kernel chooses may be given to a test that runs beside
// this one as soon as it is let go of, and the listeners of workers share a port without a word
// (SO_REUSEPORT). So each process has a few of its own.
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <type_traits>

#include "proxy/base/asio.h"

namespace penstock::test {

/// On 127.0.0.1; nobody listens on it. `Protocol` is asio::ip::tcp or asio::ip::udp.
template <class Protocol>
std::uint16_t free_port() {
  // Below those that the kernel chooses from.
  constexpr int kFirst = 10'000;
  constexpr int kBlocks = 440;
  constexpr int kInBlock = 50;
  static int next = 0;
  asio::io_context io;
  for (int tries = 0; tries < kInBlock; ++tries) {
    const auto port = static_cast<std::uint16_t>(kFirst + getpid() % kBlocks * kInBlock +
                                                 next++ % kInBlock);
    typename Protocol::socket socket(io, Protocol::v4());
    base::error_code code;
    // Connections that have ended do not matter. Of UDP it would share the port.
    if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
      socket.set_option(asio::socket_base::reuse_address(true));
    }
    socket.bind({asio::ip::make_address("127.0.0.1"), port}, code);
    if (!code) return port;
  }
  throw std::runtime_error("no free port");
}

}  // namespace penstock::test
