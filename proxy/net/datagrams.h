#pragma once
// Datagrams by the batch: one system call receives or sends up to 32 of them, each with the address
// of its peer and the one of our own addresses that it came to or leaves from.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::net {

/// One of our own addresses, as the kernel names it. Unspecified where it is not known, or not one
/// to send from (multicast).
struct LocalAddress {
  base::Address address;
  unsigned interface = 0;  // set for link-local addresses only

  bool operator==(const LocalAddress&) const = default;
};

struct Datagram {
  base::UdpEndpoint peer;
  LocalAddress local;
  std::string_view bytes;
};

/// Room for what one call receives; the datagrams are valid until the next call. One per worker.
class DatagramBatch {
 public:
  static constexpr std::size_t kMost = 32;

  DatagramBatch();
  /// Without waiting; fails with would_block where there is nothing, and with what the socket has
  /// to say (connection_refused after an ICMP message).
  base::IoResult<std::span<const Datagram>> receive(int socket);

 private:
  static constexpr std::size_t kLargest = 65'535;
  static constexpr std::size_t kControl = 64;

  std::unique_ptr<char[]> bytes_;
  std::array<Datagram, kMost> datagrams_;
  std::array<sockaddr_storage, kMost> peers_;
  alignas(cmsghdr) std::array<std::array<char, kControl>, kMost> controls_;
  std::array<iovec, kMost> pieces_;
  std::array<mmsghdr, kMost> messages_{};
};

/// Where a batch goes. A connected socket needs neither.
struct SendTo {
  const base::UdpEndpoint* peer = nullptr;
  const LocalAddress* local = nullptr;
};

struct Sent {
  std::size_t count = 0;
  /// Why the first one that was not sent was not. would_block: the socket's buffer is full.
  base::error_code error;
};

/// Sends without waiting, each datagram behind `head`; stops at the first that cannot be sent.
Sent send_datagrams(int socket, SendTo to, std::string_view head,
                    std::span<const std::string_view> datagrams);

}  // namespace penstock::net
