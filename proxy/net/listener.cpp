#include "proxy/net/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "proxy/base/ip_net.h"

namespace penstock::net {
namespace {

/// Most connections taken at one event, so that a flood does not starve those being served.
constexpr int kMostAtOnce = 64;
constexpr int kBacklog = 4096;
constexpr base::Duration kPause{100};

}  // namespace

/// One listening socket.
class Listener::Door final : public Watched {
 public:
  Door(Reactor& reactor, base::Descriptor descriptor, OnAccept& on_accept)
      : reactor_(reactor),
        descriptor_(std::move(descriptor)),
        on_accept_(on_accept),
        pause_(reactor, [this] {
          if (descriptor_) reactor_.pause(descriptor_.get(), *this, false);
        }) {}
  ~Door() { close(); }

  void start() { reactor_.watch_level(descriptor_.get(), *this); }
  void accept_waiting();
  void close() override {
    if (!descriptor_) return;
    reactor_.forget(*this);
    pause_.cancel();
    descriptor_.reset();
  }

 private:
  void on_events(std::uint32_t events) override;
  int accept_some(int most);

  Reactor& reactor_;
  base::Descriptor descriptor_;
  OnAccept& on_accept_;
  Timer pause_;
  int allowance_ = 1;  // connections taken at one event
};

Listener::Listener(Reactor& reactor, OnAccept on_accept)
    : reactor_(reactor), on_accept_(std::move(on_accept)) {}

Listener::~Listener() = default;

base::IoResult<void> Listener::open(const std::string& address, std::uint16_t port) {
  if (!address.empty()) {
    base::error_code code;
    const auto parsed = asio::ip::make_address(address, code);
    if (code) return base::io_fail(code);
    return open_endpoint({parsed, port});
  }
  const auto opened = open_endpoint({asio::ip::address_v4::any(), port});
  if (!opened) return opened;
  const auto sixth = open_endpoint({asio::ip::address_v6::any(), port_});
  if (sixth || sixth.error() == asio::error::address_family_not_supported ||
      sixth.error() == boost::system::errc::address_not_available) {
    return {};
  }
  doors_.clear();
  return sixth;
}

base::IoResult<void> Listener::open_endpoint(const base::TcpEndpoint& endpoint) {
  const auto kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const auto family = endpoint.protocol().family();
  base::Descriptor descriptor(::socket(family, kind, 0));
  const auto set = [&](int level, int option, int value) {
    return ::setsockopt(descriptor.get(), level, option, &value, sizeof value) == 0;
  };
  const bool is_open =
      descriptor && set(SOL_SOCKET, SO_REUSEADDR, 1) && set(SOL_SOCKET, SO_REUSEPORT, 1) &&
      set(IPPROTO_TCP, TCP_NODELAY, 1) &&  // inherited by what is accepted
      (family != AF_INET6 || set(IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
      ::bind(descriptor.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
      ::listen(descriptor.get(), kBacklog) == 0;
  if (!is_open) return base::io_fail(base::last_error());
  base::TcpEndpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  if (::getsockname(descriptor.get(), bound.data(), &size) == 0) bound.resize(size);
  port_ = bound.port();
  doors_.push_back(std::make_unique<Door>(reactor_, std::move(descriptor), on_accept_));
  return {};
}

void Listener::start() {
  for (const auto& door : doors_) door->start();
}

void Listener::close() {
  for (const auto& door : doors_) door->close();
}

void Listener::close_after_waiting() {
  for (const auto& door : doors_) door->accept_waiting();
  close();
}

void Listener::Door::accept_waiting() {
  int taken = 0;
  do {
    taken = accept_some(kMostAtOnce);
  } while (taken == kMostAtOnce);
}

void Listener::Door::on_events(std::uint32_t) {
  const int taken = accept_some(allowance_);
  // As many as came last time are asked for at once: neither a failed accept for each single
  // connection, nor a turn of the loop for each of a burst.
  allowance_ = taken == allowance_ ? std::min(allowance_ * 2, kMostAtOnce) : std::max(taken, 1);
}

int Listener::Door::accept_some(int most) {
  int taken = 0;
  while (taken < most && descriptor_) {
    Accepted accepted;
    auto size = static_cast<socklen_t>(accepted.peer.capacity());
    accepted.descriptor = base::Descriptor(
        ::accept4(descriptor_.get(), accepted.peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted.descriptor) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // Out of descriptors: asking again at once would spin; some connection will end.
        reactor_.pause(descriptor_.get(), *this, true);
        pause_.start(kPause);
      }
      break;
    }
    ++taken;
    accepted.peer.resize(size);
    on_accept_(std::move(accepted));
  }
  return taken;
}

}  // namespace penstock::net
