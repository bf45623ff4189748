// Each way in which a TCP session ends, provoked on a real worker, and its one word in the log.
#include "tests/unit/proxy/session/stream_fixture.h"

namespace penstock::worker {
namespace {

using EndReasonTest = StreamTest;

TEST_F(EndReasonTest, WhoEndsFirst) {
  std::atomic<bool> speaks_and_ends = false;
  Backend backend([&](Socket& socket) {
    if (speaks_and_ends) {
      asio::write(socket, asio::buffer(std::string_view("bye")));
      socket.shutdown(Socket::shutdown_send);
    }
    follow(socket);
  });
  serve({backend.port()});
  {
    auto client = connect();
    asio::write(client, asio::buffer(std::string_view("hello")));
    client.shutdown(Socket::shutdown_send);
    follow(client);
  }
  expect_line("TCP 200 client_closed:5.");
  speaks_and_ends = true;
  {
    auto client = connect();
    follow(client);
  }
  expect_line("TCP 200 upstream_closed:0.");
}

TEST_F(EndReasonTest, WhoResets) {
  std::atomic<bool> resets = false;
  Backend backend([&](Socket& socket) {
    char byte = 0;
    asio::read(socket, asio::buffer(&byte, 1));
    if (resets) return reset(socket);
    asio::write(socket, asio::buffer(&byte, 1));
    follow(socket);
  });
  serve({backend.port()});
  char byte = 'x';
  {
    auto client = connect();
    asio::write(client, asio::buffer(&byte, 1));
    asio::read(client, asio::buffer(&byte, 1));
    reset(client);
  }
  expect_line("TCP 200 client_reset:1.");
  resets = true;
  {
    auto client = connect();
    asio::write(client, asio::buffer(&byte, 1));
    boost::system::error_code code;
    asio::read(client, asio::buffer(&byte, 1), code);
    EXPECT_EQ(code, asio::error::connection_reset) << "a reset is passed on as a reset";
  }
  expect_line("TCP 200 upstream_reset:1.");
}

TEST_F(EndReasonTest, WhatNobodyAnswers) {
  serve({free_port()});
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 502 connect_refused:0.");

  // A server whose queue of connections is full lets every SYN go unanswered.
  tcp::acceptor full(io_, {asio::ip::make_address("127.0.0.1"), 0});
  ASSERT_EQ(::listen(full.native_handle(), 0), 0);
  std::vector<std::unique_ptr<Socket>> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(std::make_unique<Socket>(io_, tcp::v4()));
    waiting.back()->non_blocking(true);
    boost::system::error_code ignored;
    waiting.back()->connect(full.local_endpoint(), ignored);
  }
  stream_.connect_timeout = base::Duration(200);
  serve({full.local_endpoint().port()});
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 502 connect_timeout:0.");

  serve({});
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 502 no_endpoint:0.");
}

TEST_F(EndReasonTest, WhoIsNotTaken) {
  Backend backend(follow);
  stream_.access.denied = {*base::IpNet::parse("127.0.0.0/8")};
  serve({backend.port()});
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 403 denied:0.");

  stream_.access = {};
  stream_.rules.front().source_networks = {*base::IpNet::parse("192.0.2.0/24")};
  serve({backend.port()});
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 502 no_rule:0.");

  stream_.rules.front().source_networks = {};
  stream_.limits.connections = 1;
  serve({backend.port()});
  auto first = connect();
  asio::write(first, asio::buffer(std::string_view("x")));
  while (backend.accepted == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 503 limit:0.");

  stream_.limits = {};
  stream_.proxy_protocol = snapshot::ProxyProtocolIn::kRequired;
  stream_.trusted_proxies = {*base::IpNet::parse("192.0.2.0/24")};
  serve({backend.port()});
  follow(*std::make_unique<Socket>(connect()));
  expect_line("TCP 400 bad_proxy_header:0.");
}

TEST_F(EndReasonTest, WhoseTimeIsOver) {
  Backend backend(follow);
  stream_.idle_timeout = base::Duration(100);
  serve({backend.port()});
  auto idle = connect();
  expect_line("TCP 200 idle_timeout:0.");
  stream_.idle_timeout = base::Duration(60'000);
  stream_.longest_session = base::Duration(100);
  serve({backend.port()});
  auto open = connect();
  expect_line("TCP 200 max_session:0.");
}

TEST_F(EndReasonTest, JsonHasTheSameWord) {
  stream_.log.is_json = true;
  serve({});
  follow(*std::make_unique<Socket>(connect()));
  expect_line(R"("status":"502","reason":"no_endpoint")");
}

}  // namespace
}  // namespace penstock::worker
