// STARTTLS of MySQL on TCP ports of a worker, where the server speaks first.
#include <sstream>

#include "tests/unit/proxy/worker/follower.h"
#include "tests/unit/proxy/worker/stream_tls_fixture.h"

namespace penstock::worker {
namespace {

using namespace std::string_literals;

constexpr std::uint16_t kSsl = 0x0800;

std::string packet(const std::string& payload, char number) {
  return std::string{static_cast<char>(payload.size() & 0xff),
                     static_cast<char>(payload.size() >> 8), '\0', number} +
         payload;
}

std::string two(std::uint16_t word) {
  return {static_cast<char>(word & 0xff), static_cast<char>(word >> 8)};
}

std::string greeting(std::uint16_t capabilities = 0xffff) {
  return packet("\x0a" + "8.0.1\0"s + "\1\0\0\0"s + "scramble" + "\0"s + two(capabilities) +
                    "\x21\x02\0"s + two(0) + std::string(31, 'y'),
                0);
}

std::string request(std::uint16_t capabilities = 0xffff) {
  return packet(two(capabilities) + std::string(30, 'c'), 1);
}

class MySqlTlsTest : public StreamTlsTest {
 protected:
  MySqlTlsTest() {
    set_certificate("a/first", pair_);
    terminate({"a/first"});
    stream_.tls.start_tls = snapshot::StartTls::kMySql;
    stream_.rules = {rule("up")};
    encrypt(stream_.rules[0]);
  }
  void serve_by(const Backend& backend) {
    set_upstream("up", {backend.port()});
    serve();
  }
  /// A server that greets so, reads a request of a client, and goes on with TLS.
  auto server(const std::string& hello) {
    return [this, hello](asio::ip::tcp::socket& socket) {
      boost::system::error_code code;
      asio::write(socket, asio::buffer(hello), code);
      std::string got(request().size(), '\0');
      got.resize(asio::read(socket, asio::buffer(got), code));
      if (got != request()) return;
      TlsPeerOptions options;
      options.pair = pair_;
      secure_named("up", options)(socket);
    };
  }
  /// Lines of the metric that counts failed endpoints by reason.
  std::string failures() {
    std::string lines;
    std::istringstream text(metrics_.text(0, 0));
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("penstock_upstream_failures_total{")) lines += line + '\n';
    }
    return lines;
  }
  /// What a client gets that has nothing to say.
  std::string listen() {
    Connection connection(stream_.port);
    return connection.receive_all();
  }
  /// A client that gets its greeting, asks for TLS, and is answered within it.
  void log_in() {
    Connection connection(stream_.port);
    EXPECT_EQ(connection.receive(greeting().size()), greeting());
    connection.send(request());
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, {});
    ASSERT_TRUE(peer.is_secured()) << peer.failure();
    peer.send("login");
    peer.end();
    EXPECT_EQ(peer.receive_all(), "up/db.example.com got login");
  }
};

TEST_F(MySqlTlsTest, GoesOnWithTlsOnBothSides) {
  Backend backend(server(greeting()));
  serve_by(backend);
  log_in();
}

TEST_F(MySqlTlsTest, ATapShowsWhatCameBeforeTls) {
  Backend backend(server(greeting()));
  serve_by(backend);
  Follower follower(worker_, stream_.name, 4096);
  log_in();
  const auto lines = follower.until_end();
  ASSERT_EQ(lines.size(), 6U) << testing::PrintToString(lines);
  EXPECT_TRUE(lines[1].starts_with(
      R"(upstream offset=0 bytes=62 text=":\0\0\0\n9.9.9\0.\0\0\0aaaaaaaa\0..)"))
      << lines[1];
  EXPECT_TRUE(lines[2].starts_with(R"(client offset=0 bytes=36 text=" \0\0...aaa)")) << lines[2];
  EXPECT_EQ(lines[3], R"(client offset=36 bytes=5 text="aaaaa")");
  EXPECT_TRUE(lines[4].starts_with("upstream offset=62 bytes=27 ")) << lines[4];
}

TEST_F(MySqlTlsTest, RefusesAClientThatDoesNotAskForTls) {
  Backend backend(server(greeting()));
  serve_by(backend);
  for (const auto& start : {packet(two(0xf7ff) + std::string(60, 'x'), 1), request(0xffff & ~kSsl),
                            packet(std::string(32, '\xff'), 2)}) {
    Connection connection(stream_.port);
    connection.receive(greeting().size());
    connection.send(start);
    const auto refusal = connection.receive_all();
    EXPECT_TRUE(refusal.contains("\xff\x57\x0c#HY000this port takes connections with TLS only"))
        << refusal;
  }
}

TEST_F(MySqlTlsTest, TakesNothingInTheClearForWhatTlsCarries) {
  Backend backend(server(greeting()));
  serve_by(backend);
  Connection connection(stream_.port);
  connection.receive(greeting().size());
  connection.send(request() + packet(std::string(40, 'l'), 2));
  TlsPeer peer(connection.descriptor(), TlsPeer::kClient, {});
  EXPECT_FALSE(peer.is_secured());
}

TEST_F(MySqlTlsTest, KeepsToItselfWhatIsNoServerWithTls) {
  for (const auto& hello :
       {greeting(0xffff & ~kSsl), packet("\xff\x69\x04Host is blocked", 0), packet("", 0),
        packet("\x09"s + std::string(60, 'x'), 0), packet("\x0a"s + std::string(60, 'x'), 0),
        packet("\x0a" + "8.0.1\0"s + "short", 0), "\xff\xff\xff\0HTTP"s, "\x20\0\0\0half"s, ""s}) {
    Backend backend([&](asio::ip::tcp::socket& socket) {
      boost::system::error_code code;
      asio::write(socket, asio::buffer(hello), code);
    });
    serve_by(backend);
    EXPECT_EQ(listen(), "") << "after " << testing::PrintToString(hello);
    EXPECT_TRUE(failures().contains("bad_response")) << failures();
  }
}

TEST_F(MySqlTlsTest, AnEndpointWithAnotherCertificateIsAFailedOne) {
  Backend backend(server(greeting()));
  stream_.rules[0].backends[0].tls.server_name = "other.example.com";
  serve_by(backend);
  Connection connection(stream_.port);
  connection.receive(greeting().size());
  connection.send(request());
  TlsPeer peer(connection.descriptor(), TlsPeer::kClient, {});
  EXPECT_TRUE(peer.is_secured()) << peer.failure();
  EXPECT_EQ(peer.receive_all(), "");
  EXPECT_TRUE(failures().contains("upstream_tls_failure")) << failures();
}

TEST_F(MySqlTlsTest, AnEndpointThatDoesNotGreetIsPassedOver) {
  Backend silent([](asio::ip::tcp::socket& socket) {
    std::array<char, 64> buffer;
    boost::system::error_code code;
    while (!code) socket.read_some(asio::buffer(buffer), code);
  });
  Backend good(server(greeting()));
  set_upstream("up", {silent.port(), good.port()});
  stream_.connect_timeout = base::Duration(300);
  serve();
  for (int i = 0; i < 4; ++i) {
    Connection connection(stream_.port);
    EXPECT_EQ(connection.receive(greeting().size()), greeting());
  }
  EXPECT_GE(silent.accepted, 1);
}

}  // namespace
}  // namespace penstock::worker
