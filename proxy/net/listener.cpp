#include "proxy/net/listener.h"

#include <netinet/tcp.h>

#include <chrono>

#include "proxy/base/ip_net.h"

namespace penstock::net {
namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
/// Connections taken per wake-up, so that a flood of new ones does not starve those being served.
constexpr int kBatch = 64;

}  // namespace

base::IoResult<void> Listener::open(const std::string& address, std::uint16_t port) {
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

base::IoResult<void> Listener::open_endpoint(const base::TcpEndpoint& endpoint) {
  base::error_code code;
  const auto step = [&](auto&& call) {
    if (!code) call();
  };
  step([&] { acceptor_.open(endpoint.protocol(), code); });
  step([&] { acceptor_.set_option(asio::socket_base::reuse_address(true), code); });
  step([&] { acceptor_.set_option(ReusePort(true), code); });
  if (endpoint.protocol() == asio::ip::tcp::v6()) {
    // A wildcard takes both families; a named IPv6 address is only itself.
    const asio::ip::v6_only only(!endpoint.address().is_unspecified());
    step([&] { acceptor_.set_option(only, code); });
  }
  step([&] { acceptor_.bind(endpoint, code); });
  step([&] { acceptor_.listen(4096, code); });
  step([&] { acceptor_.non_blocking(true, code); });
  if (code) {
    close();
    return base::io_fail(code);
  }
  port_ = acceptor_.local_endpoint(code).port();
  return {};
}

void Listener::accept() {
  acceptor_.async_accept(io_.get_executor(), [this](base::error_code code, base::TcpSocket socket) {
    if (code == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (code == asio::error::no_descriptors || code == asio::error::no_buffer_space) {
      // Out of descriptors: asking again at once would spin; some connection will end.
      timer_.expires_after(std::chrono::milliseconds(100));
      timer_.async_wait([this](base::error_code stopped) {
        if (!stopped && acceptor_.is_open()) accept();
      });
      return;
    }
    if (!code) {
      on_accept_(std::move(socket));
      accept_waiting();
    }
    if (acceptor_.is_open()) accept();
  });
}

void Listener::accept_waiting() {
  for (int i = 0; i < kBatch && acceptor_.is_open(); ++i) {
    base::error_code code;
    base::TcpSocket socket(io_.get_executor());
    acceptor_.accept(socket, code);
    if (code) return;
    on_accept_(std::move(socket));
  }
}

void Listener::close() {
  base::error_code ignored;
  timer_.cancel();
  acceptor_.close(ignored);
}

}  // namespace penstock::net
