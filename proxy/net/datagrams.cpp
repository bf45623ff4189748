#include "proxy/net/datagrams.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

#include "proxy/base/ip_net.h"

namespace penstock::net {
namespace {

/// A control message of its own type behind its header, as CMSG_FIRSTHDR and CMSG_NXTHDR give them.
template <class T>
T data_of(const cmsghdr* control) {
  T out;
  std::memcpy(&out, CMSG_DATA(control), sizeof out);
  return out;
}

LocalAddress local_of(const in6_pktinfo& info) {
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &info.ipi6_addr, bytes.size());
  const asio::ip::address_v6 address(bytes);
  if (address.is_multicast()) return {};
  return {address, address.is_link_local() ? info.ipi6_ifindex : 0};
}

/// What the kernel tells beside the bytes.
struct Told {
  LocalAddress local;
  std::size_t segment = 0;  // size of each datagram but the last; 0: it is one
};

Told told_by(const msghdr& message) {
  auto header = message;
  Told out;
  for (auto* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    const auto is = [&](int level, int type) {
      return each->cmsg_level == level && each->cmsg_type == type;
    };
    if (is(IPPROTO_IPV6, IPV6_PKTINFO)) out.local = local_of(data_of<in6_pktinfo>(each));
    // ipi_spec_dst is one of ours also where the datagram came by broadcast.
    if (is(IPPROTO_IP, IP_PKTINFO))
      out.local = {asio::ip::address_v4(ntohl(data_of<in_pktinfo>(each).ipi_spec_dst.s_addr)), 0};
    if (is(IPPROTO_UDP, UDP_GRO)) out.segment = static_cast<std::size_t>(data_of<int>(each));
  }
  return out;
}

base::UdpEndpoint endpoint_of(const sockaddr_storage& address, socklen_t size) {
  base::UdpEndpoint out;
  if (size > out.capacity()) return out;
  std::memcpy(out.data(), &address, size);
  out.resize(size);
  return out;
}

/// Control messages, one behind the other.
class Controls {
 public:
  template <class T>
  void put(int level, int type, const T& data) {
    auto* control = reinterpret_cast<cmsghdr*>(room_.data() + size_);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(sizeof data);
    std::memcpy(CMSG_DATA(control), &data, sizeof data);
    size_ += CMSG_SPACE(sizeof data);
  }

  /// In the family of the socket, which is that of the peer as it was received.
  void put_local(const LocalAddress& local) {
    if (local.address.is_unspecified()) return;
    if (local.address.is_v6()) {
      in6_pktinfo info{};
      const auto bytes = local.address.to_v6().to_bytes();
      std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
      info.ipi6_ifindex = local.interface;
      return put(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(local.address.to_v4().to_uint());
    put(IPPROTO_IP, IP_PKTINFO, info);
  }

  void attach(msghdr& header) {
    if (size_ == 0) return;
    header.msg_control = room_.data();
    header.msg_controllen = size_;
  }

 private:
  alignas(cmsghdr)
      std::array<char, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t))> room_;
  std::size_t size_ = 0;
};

/// Where the message goes, and which of our addresses it comes from.
void address(msghdr& header, const SendTo& to, Controls& controls) {
  if (to.peer != nullptr) {
    header.msg_name = const_cast<sockaddr*>(to.peer->data());
    header.msg_namelen = static_cast<socklen_t>(to.peer->size());
  }
  if (to.local != nullptr) controls.put_local(*to.local);
}

iovec piece_of(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

/// The largest that goes into one IPv4 packet.
constexpr std::size_t kMostTogether = 65'507;

/// How many of the datagrams, from the first one on, the kernel can send as one: all of one size,
/// but for the last, which may be shorter.
std::size_t count_alike(std::span<const std::string_view> datagrams) {
  const auto size = datagrams.front().size();
  std::size_t count = 1;
  for (auto total = size; count < std::min(datagrams.size(), kMostSegments); ++count) {
    const auto next = datagrams[count].size();
    total += next;
    if (next == 0 || next > size || total > kMostTogether) return count;
    if (next < size) return count + 1;
  }
  return count;
}

/// The packets of one call, each of one datagram or of several that are alike.
class Packets {
 public:
  Packets(SendTo to, std::string_view head) : to_(to), head_(head) {}

  /// Fills in as many as there is room for.
  void fill(std::span<const std::string_view> datagrams, bool may_coalesce) {
    size_ = pieces_used_ = 0;
    while (!datagrams.empty() && size_ < kMost) {
      const auto count = may_coalesce ? count_alike(datagrams) : 1;
      if (pieces_used_ + 1 + count > pieces_.size()) break;
      add(datagrams.first(count));
      datagrams = datagrams.subspan(count);
    }
  }
  /// How many datagrams have left; negative as of sendmmsg(2).
  int send(int socket) {
    const auto sent = ::sendmmsg(socket, messages_.data(), static_cast<unsigned>(size_),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    int count = sent < 0 ? sent : 0;
    for (int i = 0; i < sent; ++i) count += counts_[static_cast<std::size_t>(i)];
    return count;
  }
  bool is_first_coalesced() const { return counts_.front() > 1; }

 private:
  static constexpr std::size_t kMost = 32;

  void add(std::span<const std::string_view> datagrams) {
    auto& header = messages_[size_].msg_hdr;
    header = {};
    header.msg_iov = &pieces_[pieces_used_];
    if (!head_.empty()) put_piece(head_);
    for (const auto& each : datagrams) put_piece(each);
    header.msg_iovlen = static_cast<std::size_t>(&pieces_[pieces_used_] - header.msg_iov);
    auto& controls = controls_[size_] = {};
    address(header, to_, controls);
    if (datagrams.size() > 1) {
      controls.put(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(datagrams[0].size()));
    }
    controls.attach(header);
    counts_[size_++] = static_cast<int>(datagrams.size());
  }
  void put_piece(std::string_view bytes) { pieces_[pieces_used_++] = piece_of(bytes); }

  SendTo to_;
  std::string_view head_;
  std::array<iovec, 2 * kMostSegments + 1> pieces_;
  std::array<mmsghdr, kMost> messages_;
  std::array<Controls, kMost> controls_;
  std::array<int, kMost> counts_;
  std::size_t size_ = 0;
  std::size_t pieces_used_ = 0;
};

/// Without the room that a batch takes: where clients ask and are answered in turn there is but
/// one.
Sent send_one(int socket, const SendTo& to, std::string_view head, std::string_view bytes) {
  std::array<iovec, 2> pieces = {piece_of(head), piece_of(bytes)};
  Controls controls{};
  msghdr header{};
  header.msg_iov = head.empty() ? &pieces[1] : pieces.data();
  header.msg_iovlen = head.empty() ? 1 : 2;
  address(header, to, controls);
  controls.attach(header);
  if (::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return {0, base::last_error()};
  return {1, {}};
}

/// What the kernel says where it cannot send several as one: larger than what the way carries, or
/// an interface that cannot compute checksums.
bool is_of_coalescing(base::error_code code) {
  return code == asio::error::invalid_argument || code == asio::error::message_size ||
         code.value() == EIO;
}

}  // namespace

void coalesce_received(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

DatagramBatch::DatagramBatch() : bytes_(new char[kMost * kLargest]) {
  datagrams_.reserve(kMost);
  for (std::size_t i = 0; i < kMost; ++i) {
    pieces_[i] = {bytes_.get() + i * kLargest, kLargest};
    auto& header = messages_[i].msg_hdr;
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
    header.msg_name = &peers_[i];
    header.msg_control = controls_[i].data();
  }
}

base::IoResult<std::span<const Datagram>> DatagramBatch::receive(int socket) {
  for (auto& each : messages_) {
    each.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    each.msg_hdr.msg_controllen = kControl;
  }
  const auto count = ::recvmmsg(socket, messages_.data(), kMost, MSG_DONTWAIT, nullptr);
  if (count < 0) return base::io_fail(base::last_error());
  has_drained_ = static_cast<std::size_t>(count) < kMost;
  datagrams_.clear();
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) take_apart(messages_[i]);
  return std::span<const Datagram>(datagrams_);
}

void DatagramBatch::take_apart(const mmsghdr& message) {
  const auto& header = message.msg_hdr;
  const auto told = told_by(header);
  const auto peer =
      endpoint_of(*static_cast<const sockaddr_storage*>(header.msg_name), header.msg_namelen);
  std::string_view rest(static_cast<const char*>(header.msg_iov->iov_base), message.msg_len);
  do {
    const auto size = told.segment == 0 ? rest.size() : std::min(told.segment, rest.size());
    datagrams_.push_back({peer, told.local, rest.substr(0, size)});
    rest.remove_prefix(size);
  } while (!rest.empty());
}

Sent send_datagrams(int socket, SendTo to, std::string_view head,
                    std::span<const std::string_view> datagrams) {
  if (datagrams.size() == 1) return send_one(socket, to, head, datagrams.front());
  Packets packets(to, head);
  bool may_coalesce = head.empty();  // each has a head of its own
  Sent sent;
  while (sent.count < datagrams.size()) {
    packets.fill(datagrams.subspan(sent.count), may_coalesce);
    const auto count = packets.send(socket);
    if (count > 0) {
      sent.count += static_cast<std::size_t>(count);
      continue;
    }
    sent.error = base::last_error();
    if (!packets.is_first_coalesced() || !is_of_coalescing(sent.error)) return sent;
    may_coalesce = false;
    sent.error = {};
  }
  return sent;
}

}  // namespace penstock::net
