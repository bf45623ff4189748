#pragma once
// Datagrams by the batch: one system call receives or sends many of them, each with the address of
// its peer and the one of our own addresses that it came to or leaves from. Those of one size that
// have one way travel through the kernel as one (UDP_SEGMENT, UDP_GRO; udp(7)).
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

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

/// Lets the kernel hand over several datagrams of one sender as one. A batch takes them apart.
void coalesce_received(int socket);

/// Room for what one call receives; the datagrams are valid until the next call. One per worker.
class DatagramBatch {
 public:
  DatagramBatch();
  /// Without waiting; fails with would_block where there is nothing, and with what the socket has
  /// to say (connection_refused after an ICMP message).
  base::IoResult<std::span<const Datagram>> receive(int socket);
  /// Whether the last call has taken all that there was.
  bool has_drained() const { return has_drained_; }

 private:
  static constexpr std::size_t kMost = 32;  // of one call; each may be many datagrams
  static constexpr std::size_t kLargest = 65'535;
  static constexpr std::size_t kControl = 96;

  void take_apart(const mmsghdr& message);

  std::unique_ptr<char[]> bytes_;
  std::vector<Datagram> datagrams_;
  bool has_drained_ = false;
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

/// As many datagrams as the kernel sends as one, in any version of it.
inline constexpr std::size_t kMostSegments = 64;

/// Sends without waiting, each datagram behind `head`; stops at the first that cannot be sent.
Sent send_datagrams(int socket, SendTo to, std::string_view head,
                    std::span<const std::string_view> datagrams);

}  // namespace penstock::net
