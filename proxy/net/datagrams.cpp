#include "proxy/net/datagrams.h"

#include <netinet/in.h>

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

LocalAddress local_of(msghdr& header) {
  for (auto* each = CMSG_FIRSTHDR(&header); each != nullptr; each = CMSG_NXTHDR(&header, each)) {
    if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
      const auto info = data_of<in6_pktinfo>(each);
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &info.ipi6_addr, bytes.size());
      const asio::ip::address_v6 address(bytes);
      if (address.is_multicast()) return {};
      return {address, address.is_link_local() ? info.ipi6_ifindex : 0};
    }
    if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
      // ipi_spec_dst is one of ours also where the datagram came by broadcast.
      const auto info = data_of<in_pktinfo>(each);
      return {asio::ip::address_v4(ntohl(info.ipi_spec_dst.s_addr)), 0};
    }
  }
  return {};
}

base::UdpEndpoint endpoint_of(const sockaddr_storage& address, socklen_t size) {
  base::UdpEndpoint out;
  if (size > out.capacity()) return out;
  std::memcpy(out.data(), &address, size);
  out.resize(size);
  return out;
}

template <class T>
void put_control(msghdr& header, std::span<char> room, int level, int type, const T& data) {
  header.msg_control = room.data();
  header.msg_controllen = CMSG_SPACE(sizeof data);
  auto* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof data);
  std::memcpy(CMSG_DATA(control), &data, sizeof data);
}

/// In the family of the socket, which is that of the peer as it was received.
void put_local(msghdr& header, std::span<char> room, const LocalAddress& local) {
  if (local.address.is_unspecified()) return;
  if (local.address.is_v6()) {
    in6_pktinfo info{};
    const auto bytes = local.address.to_v6().to_bytes();
    std::memcpy(&info.ipi6_addr, bytes.data(), bytes.size());
    info.ipi6_ifindex = local.interface;
    put_control(header, room, IPPROTO_IPV6, IPV6_PKTINFO, info);
    return;
  }
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(local.address.to_v4().to_uint());
  put_control(header, room, IPPROTO_IP, IP_PKTINFO, info);
}

}  // namespace

DatagramBatch::DatagramBatch() : bytes_(new char[kMost * kLargest]) {
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
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    auto& header = messages_[i].msg_hdr;
    datagrams_[i] = {
        endpoint_of(peers_[i], header.msg_namelen), local_of(header),
        std::string_view(static_cast<const char*>(pieces_[i].iov_base), messages_[i].msg_len)};
  }
  return std::span<const Datagram>(datagrams_.data(), static_cast<std::size_t>(count));
}

Sent send_datagrams(int socket, SendTo to, std::string_view head,
                    std::span<const std::string_view> datagrams) {
  constexpr auto kMost = DatagramBatch::kMost;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control;
  std::array<std::array<iovec, 2>, kMost> pieces;
  std::array<mmsghdr, kMost> messages;
  Sent sent;
  while (sent.count < datagrams.size()) {
    const auto rest = datagrams.subspan(sent.count);
    const auto size = std::min(rest.size(), kMost);
    for (std::size_t i = 0; i < size; ++i) {
      pieces[i] = {iovec{const_cast<char*>(head.data()), head.size()},
                   iovec{const_cast<char*>(rest[i].data()), rest[i].size()}};
      messages[i] = {};
      auto& header = messages[i].msg_hdr;
      header.msg_iov = pieces[i].data();
      header.msg_iovlen = 2;
      if (to.peer != nullptr) {
        header.msg_name = const_cast<sockaddr*>(to.peer->data());
        header.msg_namelen = static_cast<socklen_t>(to.peer->size());
      }
      if (to.local != nullptr) put_local(header, control, *to.local);
    }
    const auto count = ::sendmmsg(socket, messages.data(), static_cast<unsigned>(size),
                                  MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count <= 0) {
      sent.error = base::last_error();
      return sent;
    }
    sent.count += static_cast<std::size_t>(count);
  }
  return sent;
}

}  // namespace penstock::net
