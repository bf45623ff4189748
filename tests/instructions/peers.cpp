#include "tests/instructions/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace penstock::instructions {
namespace {

void require(bool is_good, const char* what) {
  if (!is_good) throw std::system_error(errno, std::system_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

}  // namespace

bool has_news(const base::Descriptor& descriptor) {
  pollfd wanted{descriptor.get(), POLLIN, 0};
  return ::poll(&wanted, 1, 0) > 0;
}

Peer Peer::connect(std::uint16_t port) {
  base::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback(port);
  require(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "connect");
  return Peer(std::move(socket));
}

void Peer::send(std::string_view bytes) const {
  const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  require(sent == static_cast<ssize_t>(bytes.size()), "send");
}

std::size_t Peer::receive() const {
  static std::array<char, 64 << 10> buffer;
  const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  require(got >= 0, "recv");
  return static_cast<std::size_t>(got);
}

Backend::Backend() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto address = loopback(0);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  require(::bind(listener_.get(), generic, size) == 0, "bind");
  require(::listen(listener_.get(), 1) == 0, "listen");
  require(::getsockname(listener_.get(), generic, &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
}

bool Backend::has_news() {
  if (!is_connected_ && instructions::has_news(listener_)) {
    peer_ = Peer(base::Descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    is_connected_ = true;
  }
  return is_connected_ && peer_.has_news();
}

}  // namespace penstock::instructions
