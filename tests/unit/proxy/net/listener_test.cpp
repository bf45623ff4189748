#include "proxy/net/listener.h"

#include <gtest/gtest.h>

#include "proxy/net/reactor.h"

namespace penstock::net {
namespace {

TEST(Listener, WhoWaitsIsAcceptedBeforeItCloses) {
  Reactor reactor;
  std::vector<base::TcpEndpoint> accepted;
  Listener listener(reactor, [&](Listener::Accepted client) { accepted.push_back(client.peer); });
  ASSERT_TRUE(listener.open("127.0.0.1", 0));
  listener.start();
  asio::io_context io;
  std::vector<asio::ip::tcp::socket> clients;
  // More than one event takes.
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(io).connect({asio::ip::make_address("127.0.0.1"), listener.port()});
  }
  listener.close_after_waiting();
  ASSERT_EQ(accepted.size(), clients.size());
  EXPECT_EQ(accepted.front(), clients.front().local_endpoint());
  base::error_code code;
  asio::ip::tcp::socket late(io);
  late.connect({asio::ip::make_address("127.0.0.1"), listener.port()}, code);
  EXPECT_EQ(code, asio::error::connection_refused);
}

}  // namespace
}  // namespace penstock::net
