// HTTP through a worker: requests, bodies, retries, tunnels, broken peers.
#include "tests/unit/proxy/worker/fixture.h"

#include "proxy/net/proxy_protocol.h"

namespace penstock::worker {
namespace {

TEST_F(WorkerTest, ServesARequestThroughAnUpstream) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  EXPECT_TRUE(adopt().empty());
  Client client(http_port_);
  const auto answer = client.ask(
      "GET /p%20x?q HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6\r\nX-Mine: 1\r\n"
      "Connection: X-Drop\r\nX-Drop: 1\r\nX_under: 1\r\nProxy: evil\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.contains("Server: penstock\r\n")) << answer;
  EXPECT_FALSE(answer.contains("theirs")) << answer;
  EXPECT_TRUE(answer.contains("GET /p%20x?q HTTP/1.1\r\nHost: a.example\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Original-Forwarded-For: 6.6.6.6\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Forwarded-Proto: http\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Mine: 1\r\n")) << answer;
  for (const auto* gone : {"X-Drop", "X_under", "Proxy:"}) {
    EXPECT_FALSE(answer.contains(gone)) << answer;
  }
}

/// Answers every request with this status and no body.
Backend::Serve always(int status) {
  return [status](asio::ip::tcp::socket& socket) {
    std::string buffer;
    while (!read_head(socket, buffer).empty()) {
      boost::system::error_code code;
      const auto head = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n";
      asio::write(socket, asio::buffer(head), code);
    }
  };
}

TEST_F(WorkerTest, AsksAnotherEndpointForAStatusThatTheRouteNames) {
  Backend busy(always(503));
  Backend good(echo_heads);
  set_upstream("up", {busy.port(), good.port()});
  snapshot::RoutePolicy policy;
  policy.next_upstream.on_status = {503};
  set_host("a.example", "up", policy);
  set_host("b.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK"));
  int refused = 0;
  for (int i = 0; i < 4; ++i) {
    const auto answer = client.ask("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
    refused += answer.starts_with("HTTP/1.1 503 X") ? 1 : 0;
  }
  EXPECT_EQ(refused, 2) << "a route that names none passes the status on";
}

TEST_F(WorkerTest, AStatusOfTheOnlyEndpointIsPassedOn) {
  Backend busy(always(503));
  set_upstream("up", {busy.port()});
  snapshot::RoutePolicy policy;
  policy.next_upstream.on_status = {503};
  set_host("a.example", "up", policy);
  adopt();
  Client client(http_port_);
  EXPECT_TRUE(client.ask(kGet).starts_with("HTTP/1.1 503 X\r\n"));
}

/// A body that pipes carry arrives whole, and its connection to the endpoint is kept.
TEST_F(WorkerTest, CarriesLargeAnswersWholeAndKeepsTheConnection) {
  std::string body(3 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  Backend backend([&](asio::ip::tcp::socket& socket) {
    std::string buffer;
    while (!read_head(socket, buffer).empty()) {
      boost::system::error_code code;
      const auto head =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
      asio::write(socket, asio::buffer(head + body), code);
    }
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask(kGet);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body)) << answer.size();
  }
  EXPECT_EQ(backend.accepted, 1);
}

TEST_F(WorkerTest, TheLastAnswerOfAConnectionArrivesWhole) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  for (int i = 0; i < 20; ++i) {
    Client client(http_port_);
    client.send("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    const auto answer = client.receive_all();
    EXPECT_TRUE(answer.contains("Connection: close\r\n")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << "the head that the backend saw is the body";
  }
}

TEST_F(WorkerTest, KeepsConnectionsOnBothSides) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK"));
  EXPECT_EQ(backend.accepted, 1);
}

TEST_F(WorkerTest, AnswersPipelinedRequestsInOrder) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  client.send(
      "GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_TRUE(client.receive().contains("GET /1 "));
  EXPECT_TRUE(client.receive().contains("GET /2 "));
}

TEST_F(WorkerTest, AnswersErrorsItself) {
  set_upstream("empty", {});
  set_host("empty.example", "empty");
  set_upstream("dead", {free_port()});
  set_host("dead.example", "dead");
  adopt();
  Client client(http_port_);
  EXPECT_TRUE(client.ask("GET / HTTP/1.1\r\nHost: none\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(
      client.ask("GET / HTTP/1.1\r\nHost: empty.example\r\n\r\n").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(
      client.ask("GET / HTTP/1.1\r\nHost: dead.example\r\n\r\n").starts_with("HTTP/1.1 502 "));
  client.send("GET / HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n");
  const auto bad = client.receive_all();
  EXPECT_TRUE(bad.starts_with("HTTP/1.1 400 ")) << bad;
  EXPECT_TRUE(bad.contains("Connection: close\r\n")) << bad;
}

TEST_F(WorkerTest, TriesTheNextEndpoint) {
  Backend backend(echo_heads);
  set_upstream("up", {free_port(), backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK"));
}

TEST_F(WorkerTest, ReplacesAKeptConnectionThatDied) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    // Answers once, then closes without saying so.
    std::string buffer;
    if (read_head(socket, buffer).empty()) return;
    asio::write(socket,
                asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK")) << i;
}

/// Reads a whole request with its body and answers with what it saw.
void echo_bodies(asio::ip::tcp::socket& socket) {
  std::string buffer;
  for (;;) {
    const auto head = read_head(socket, buffer);
    if (head.empty()) return;
    std::string body;
    boost::system::error_code code;
    const auto at = head.find("Content-Length: ");
    if (at != std::string::npos) {
      const auto size = std::stoul(head.substr(at + 16));
      while (buffer.size() < size && !code) {
        asio::read(socket, asio::dynamic_buffer(buffer), asio::transfer_at_least(1), code);
      }
      body = buffer.substr(0, size);
      buffer.erase(0, size);
    } else if (head.contains("Transfer-Encoding: chunked")) {
      asio::read_until(socket, asio::dynamic_buffer(buffer), "\r\n0\r\n\r\n", code);
      body = std::exchange(buffer, {});
    }
    const auto answer =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    asio::write(socket, asio::buffer(answer), code);
    if (code) return;
  }
}

TEST_F(WorkerTest, CarriesBodiesSmallAndLarge) {
  Backend backend(echo_bodies);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  for (const std::size_t size : {1U, 100U, 8192U, 8193U, 700'000U}) {
    std::string body(size, 'b');
    body[0] = '<';
    body[size - 1] = '>';
    Client client(http_port_);
    const auto answer =
        client.ask("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(size) +
                   "\r\n\r\n" + body);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body)) << size;
  }
}

TEST_F(WorkerTest, ReadsAChunkedBodyAndSendsItWithItsLength) {
  Backend backend(echo_bodies);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.ask(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    EXPECT_TRUE(answer.ends_with("\r\n\r\nhello!")) << answer;
  }
}

TEST_F(WorkerTest, RefusesABodyThatGrowsBeyondTheLimit) {
  Backend backend(echo_bodies);
  snapshot::RoutePolicy policy;
  policy.body.max_size = {20'000};
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", policy);
  adopt();
  Client announced(http_port_);
  EXPECT_TRUE(announced
                  .ask("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20001\r\n"
                       "Expect: 100-continue\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  Client chunked(http_port_);
  chunked.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.send("7530\r\n" + std::string(30'000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.receive().starts_with("HTTP/1.1 413 "));
}

TEST_F(WorkerTest, AnswersExpectContinue) {
  Backend backend(echo_bodies);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n"
                       "Expect: 100-continue\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.ask("ok").ends_with("\r\n\r\nok"));
}

TEST_F(WorkerTest, TunnelsAWebSocketBothWays) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    const auto head = read_head(socket, buffer);
    if (!head.contains("Upgrade: websocket")) return;
    asio::write(socket, asio::buffer(std::string(
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhi")));
    std::array<char, 4> data;
    boost::system::error_code code;
    asio::read(socket, asio::buffer(data), code);
    asio::write(socket, asio::buffer(data), code);
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  const auto head = client.ask(
      "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
  client.send("ping");
  EXPECT_EQ(client.receive_all(), "hiping");
}

TEST_F(WorkerTest, ATruncatedAnswerIsNeverTakenForComplete) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    if (read_head(socket, buffer).empty()) return;
    asio::write(socket,
                asio::buffer(std::string(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")));
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  client.send(kGet);
  EXPECT_FALSE(client.receive_all().contains("0\r\n\r\n"));
}

TEST_F(WorkerTest, RefusesABrokenAnswer) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    if (read_head(socket, buffer).empty()) return;
    asio::write(socket,
                asio::buffer(std::string(
                    "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n")));
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  const auto answer = client.ask(kGet);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_FALSE(answer.contains("evil"));
}

TEST_F(WorkerTest, BelievesAProxyHeaderWhereItIsToldTo) {
  Backend backend(echo_heads);
  global_.forwarded.uses_proxy_protocol = true;
  set(snapshot::PartKind::kGlobal, "", global_);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  const net::ProxyAddresses addresses{{asio::ip::make_address("192.0.2.9"), 7},
                                      {asio::ip::make_address("198.51.100.1"), 443}};
  for (const auto& header : {net::encode_proxy_v1(addresses), net::encode_proxy_v2(addresses)}) {
    Client client(http_port_);
    client.send(header.substr(0, 9));
    client.send(header.substr(9));
    const auto answer = client.ask(kGet);
    EXPECT_TRUE(answer.contains("X-Real-IP: 192.0.2.9\r\n")) << answer;
    EXPECT_TRUE(answer.contains("X-Forwarded-Proto: https\r\n")) << answer;
  }
  Client without(http_port_);
  without.send(kGet);
  EXPECT_EQ(without.receive_all(), "");
}

}  // namespace
}  // namespace penstock::worker
