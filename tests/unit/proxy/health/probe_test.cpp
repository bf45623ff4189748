// Each kind of question, asked of servers over loopback that answer well, badly, or not at all.
#include "proxy/health/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>
#include <thread>

namespace penstock::health {
namespace {

using snapshot::ProbeType;
using testing::HasSubstr;

/// Accepts one connection and plays it.
class Server {
 public:
  using Play = std::function<void(asio::ip::tcp::socket&)>;
  explicit Server(Play play)
      : thread_([this, play = std::move(play)] {
          asio::ip::tcp::socket socket(io_);
          base::error_code code;
          acceptor_.accept(socket, code);
          if (!code && !is_over_) play(socket);
        }) {}
  ~Server() { wait(); }

  /// Until the one connection is over.
  void wait() {
    if (!thread_.joinable()) return;
    is_over_ = true;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  base::TcpEndpoint endpoint() const { return endpoint_; }

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
  base::TcpEndpoint endpoint_ = acceptor_.local_endpoint();
  std::atomic<bool> is_over_ = false;
  std::thread thread_;
};

Server::Play answering(std::string answer) {
  return [answer = std::move(answer)](asio::ip::tcp::socket& socket) {
    std::array<char, 4096> buffer;
    base::error_code code;
    socket.read_some(asio::buffer(buffer), code);
    asio::write(socket, asio::buffer(answer), code);
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, code);
    while (!code) socket.read_some(asio::buffer(buffer), code);
  };
}

/// Until the other end closes.
void say_nothing(asio::ip::tcp::socket& socket) {
  std::array<char, 4096> buffer;
  base::error_code code;
  while (!code) socket.read_some(asio::buffer(buffer), code);
}

Finding ask(const snapshot::HealthCheck& settings, const base::TcpEndpoint& peer) {
  const Check check(settings);
  net::Reactor reactor;
  net::TlsClientContext tls;
  std::optional<Finding> found;
  const auto run = [&]() -> base::Task<void> { found = co_await probe(reactor, tls, check, peer); };
  base::spawn("test", run());
  while (!found) reactor.turn(base::Duration(100));
  return *found;
}

constexpr base::Duration kSoon(300);

/// A question with ample time; who waits for silence gives it kSoon.
snapshot::HealthCheck check_of(ProbeType type, base::Duration timeout = std::chrono::seconds(10)) {
  snapshot::HealthCheck check;
  check.type = type;
  check.timeout = timeout;
  return check;
}

base::TcpEndpoint nobody() {
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  return acceptor.local_endpoint();
}

TEST(Probe, ConnectAsksForNothingMore) {
  Server server(say_nothing);
  EXPECT_EQ(ask(check_of(ProbeType::kConnect), server.endpoint()), "");
  EXPECT_THAT(ask(check_of(ProbeType::kConnect), nobody()), HasSubstr("Connection refused"));
}

TEST(Probe, TlsWantsAHandshake) {
  Server silent(say_nothing);
  EXPECT_EQ(ask(check_of(ProbeType::kTls, kSoon), silent.endpoint()),
            "TLS handshake: nothing within 300ms");
  Server plain(answering("220 mail.example ESMTP\r\n"));
  EXPECT_THAT(ask(check_of(ProbeType::kTls), plain.endpoint()), HasSubstr("TLS handshake"));
}

TEST(Probe, SendExpectLooksForItsAnswer) {
  auto check = check_of(ProbeType::kSendExpect);
  check.send = "PING\r\n";
  check.expect = "+PONG";
  Server good(answering("+PONG\r\n"));
  EXPECT_EQ(ask(check, good.endpoint()), "");
  Server bad(answering("-LOADING\r\n"));
  EXPECT_EQ(ask(check, bad.endpoint()), "closed the connection after 10 bytes");
  Server silent(say_nothing);
  check.timeout = kSoon;
  EXPECT_EQ(ask(check, silent.endpoint()), "answer: nothing within 300ms");
  check = check_of(ProbeType::kSendExpect);
  check.send = "PING\r\n";
  check.expect_pattern = "^\\+P.NG\r\n$";
  Server by_pattern(answering("+PONG\r\n"));
  EXPECT_EQ(ask(check, by_pattern.endpoint()), "");
  check.expect_pattern = "(";
  Server broken(answering("+PONG\r\n"));
  EXPECT_NE(ask(check, broken.endpoint()), "") << "what is no pattern lets nothing pass";
}

TEST(Probe, AnAnswerIsReadOnlyAsFarAsItsBound) {
  auto check = check_of(ProbeType::kSendExpect);
  check.send = "x";
  check.expect = "end";
  Server server(answering(std::string(4 * kMostRead, '.') + "end"));
  EXPECT_THAT(ask(check, server.endpoint()), HasSubstr("without what is expected"));
}

TEST(Probe, HttpIsJudgedByItsStatus) {
  auto check = check_of(ProbeType::kHttp);
  check.path = "/ready";
  check.host = "db.example";
  std::string seen;
  Server good([&](asio::ip::tcp::socket& socket) {
    asio::read_until(socket, asio::dynamic_buffer(seen), "\r\n\r\n");
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 204 No Content\r\n\r\n")));
  });
  EXPECT_EQ(ask(check, good.endpoint()), "");
  good.wait();
  EXPECT_THAT(seen, testing::StartsWith("GET /ready HTTP/1.1\r\nHost: db.example\r\n"));
  Server bad(answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(ask(check, bad.endpoint()), "status 503, expected 200 to 399");
  check.lowest_status = check.highest_status = 503;
  Server wanted(answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(ask(check, wanted.endpoint()), "");
  Server other(answering("SSH-2.0-OpenSSH_9.2\r\n\r\n"));
  EXPECT_THAT(ask(check, other.endpoint()), HasSubstr("no HTTP/1.1 answer"));
}

TEST(Probe, GrpcWantsHttp2) {
  Server other(answering("HTTP/1.1 400 Bad Request\r\n\r\n"));
  EXPECT_THAT(ask(check_of(ProbeType::kGrpc), other.endpoint()), HasSubstr("HTTP/2"));
  Server silent(say_nothing);
  EXPECT_EQ(ask(check_of(ProbeType::kGrpc, kSoon), silent.endpoint()),
            "answer: nothing within 300ms");
}

/// A UDP server that answers `answer` once, or nothing.
struct UdpServer {
  explicit UdpServer(std::string answer)
      : thread([this, answer = std::move(answer)] {
          asio::ip::udp::endpoint from;
          std::array<char, 512> buffer;
          base::error_code code;
          const auto size = socket.receive_from(asio::buffer(buffer), from, 0, code);
          received.assign(buffer.data(), code ? 0 : size);
          if (!code && !answer.empty()) socket.send_to(asio::buffer(answer), from, 0, code);
        }) {}
  ~UdpServer() { thread.join(); }
  base::TcpEndpoint endpoint() const {
    return {socket.local_endpoint().address(), socket.local_endpoint().port()};
  }
  asio::io_context io;
  asio::ip::udp::socket socket{io, {asio::ip::make_address("127.0.0.1"), 0}};
  std::string received;
  std::thread thread;
};

TEST(Probe, UdpSendExpect) {
  auto check = check_of(ProbeType::kSendExpect);
  check.is_udp = true;
  check.send = "status";
  check.expect = "ready";
  UdpServer good("node is ready");
  EXPECT_EQ(ask(check, good.endpoint()), "");
  UdpServer bad("node is busy");
  EXPECT_EQ(ask(check, bad.endpoint()), "sent 12 bytes that are not what is expected");
  UdpServer silent("");
  EXPECT_THAT(ask(check, nobody()), HasSubstr("Connection refused"));
  check.timeout = kSoon;
  EXPECT_EQ(ask(check, silent.endpoint()), "answer: nothing within 300ms");
}

TEST(Probe, IcmpUnreachableTakesSilenceForWell) {
  auto check = check_of(ProbeType::kIcmpUnreachable, kSoon);
  check.is_udp = true;
  check.send = "x";
  UdpServer silent("");
  EXPECT_EQ(ask(check, silent.endpoint()), "");
  UdpServer talking("anything");
  EXPECT_EQ(ask(check, talking.endpoint()), "");
  EXPECT_THAT(ask(check, nobody()), HasSubstr("Connection refused"));
}

}  // namespace
}  // namespace penstock::health
