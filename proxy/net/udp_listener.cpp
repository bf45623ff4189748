#include "proxy/net/udp_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "proxy/net/datagrams.h"

namespace penstock::net {
namespace {

/// Bursts that come while the worker is busy. The kernel gives no more than net.core.rmem_max.
constexpr int kReceiveBuffer = 4 << 20;

}  // namespace

base::IoResult<void> UdpListener::open(const std::string& address, std::uint16_t port) {
  if (!address.empty()) {
    base::error_code code;
    const auto parsed = asio::ip::make_address(address, code);
    if (code) return base::io_fail(code);
    return open_endpoint({parsed, port});
  }
  auto opened = open_endpoint({asio::ip::address_v6::any(), port});
  if (!opened && opened.error() == asio::error::address_family_not_supported) {
    return open_endpoint({asio::ip::address_v4::any(), port});
  }
  return opened;
}

base::IoResult<void> UdpListener::open_endpoint(const base::UdpEndpoint& endpoint) {
  const auto family = endpoint.protocol().family();
  base::Descriptor descriptor(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto set = [&](int level, int option, int value) {
    return ::setsockopt(descriptor.get(), level, option, &value, sizeof value) == 0;
  };
  // A wildcard takes both families; a named IPv6 address is only itself.
  const auto only_v6 = endpoint.address().is_unspecified() ? 0 : 1;
  const bool is_open =
      descriptor && set(SOL_SOCKET, SO_REUSEPORT, 1) &&
      (family == AF_INET6
           ? set(IPPROTO_IPV6, IPV6_V6ONLY, only_v6) && set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
           : set(IPPROTO_IP, IP_PKTINFO, 1)) &&
      ::bind(descriptor.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
  if (!is_open) return base::io_fail(base::last_error());
  set(SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  coalesce_received(descriptor.get());
  base::UdpEndpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  if (::getsockname(descriptor.get(), bound.data(), &size) == 0) bound.resize(size);
  port_ = bound.port();
  descriptor_ = std::move(descriptor);
  return {};
}

void UdpListener::close() {
  if (!descriptor_) return;
  reactor_.forget(*this);
  descriptor_.reset();
}

}  // namespace penstock::net
