#include <array>
#include <iostream>

#include "tests/support/backends/backends.h"

namespace penstock::test {
namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
  std::array<char, 65536> buffer;
  boost::system::error_code code;
  auto token = asio::redirect_error(asio::use_awaitable, code);
  for (;;) {
    const auto size = co_await socket.async_read_some(asio::buffer(buffer), token);
    if (code) break;
    co_await asio::async_write(socket, asio::buffer(buffer, size), token);
    if (code) co_return;
  }
  socket.shutdown(tcp::socket::shutdown_send, code);
}

asio::awaitable<void> accept(tcp::acceptor acceptor) {
  const auto executor = acceptor.get_executor();
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(executor, echo(std::move(socket)), [](const std::exception_ptr&) {});
  }
}

}  // namespace

tcp::acceptor listen(asio::io_context& io, const tcp::endpoint& at) {
  tcp::acceptor acceptor(io, at);
  std::cout << "listening on " << acceptor.local_endpoint() << std::endl;
  return acceptor;
}

void serve_tcp(asio::io_context& io, const tcp::endpoint& at) {
  asio::co_spawn(io, accept(listen(io, at)), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

}  // namespace penstock::test
