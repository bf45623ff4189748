// STARTTLS on TCP ports of a worker.
#include "tests/unit/proxy/worker/stream_tls_fixture.h"

namespace penstock::worker {
namespace {

const std::string kSslRequest("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8);
const std::string kGssRequest("\x00\x00\x00\x08\x04\xd2\x16\x30", 8);

TEST_F(StreamTlsTest, TakesTheRequestOfPostgres) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.tls.start_tls = snapshot::StartTls::kPostgres;
  stream_.tls.protocols = {"postgresql"};
  stream_.rules = {rule("up", {"db.example.com"})};
  serve();
  TlsPeerOptions options;
  options.server_name = "db.example.com";
  const auto ask_after = [&](std::initializer_list<std::pair<std::string, std::string>> steps) {
    Connection connection(stream_.port);
    for (const auto& [request, answer] : steps) {
      connection.send(request);
      EXPECT_EQ(connection.receive(answer.size()), answer);
    }
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    if (!peer.is_secured()) return "failed: " + peer.failure();
    peer.send("hello");
    peer.end();
    return peer.receive_all();
  };
  EXPECT_EQ(ask_after({{kSslRequest, "S"}}), "up got hello");
  EXPECT_EQ(ask_after({{kGssRequest, "N"}, {kSslRequest, "S"}}), "up got hello");
  EXPECT_TRUE(ask_after({{kSslRequest + std::string(20, 'x'), "S"}}).starts_with("failed: "))
      << "what was sent in the clear must not count as said inside";
  options.protocols = "\x0apostgresql";
  EXPECT_EQ(ask_after({}), "up got hello") << "TLS at once";
  // Who does not ask for TLS is told, and gets nowhere.
  const auto before = backend.accepted.load();
  Connection clear(stream_.port);
  clear.send(std::string("\x00\x00\x00\x14\x00\x03\x00\x00user\0me\0\0\0\0\0", 20));
  const auto refusal = clear.receive_all();
  EXPECT_TRUE(refusal.starts_with("E")) << refusal;
  EXPECT_TRUE(refusal.contains("TLS only")) << refusal;
  EXPECT_EQ(backend.accepted, before);
}

TEST_F(StreamTlsTest, AsksABackendOfPostgresForTls) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend backend([&](asio::ip::tcp::socket& socket) {
    std::string request(8, '\0');
    boost::system::error_code code;
    asio::read(socket, asio::buffer(request), code);
    asio::write(socket, asio::buffer(std::string(request == kSslRequest ? "S" : "N")), code);
    secure_named("up", options)(socket);
  });
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.tls.start_tls = snapshot::StartTls::kPostgres;
  stream_.rules = {rule("up")};
  encrypt(stream_.rules[0]);
  serve();
  EXPECT_EQ(ask(), "up/db.example.com got hello");
}

/// Greets, and then echoes lines.
void mail_server(asio::ip::tcp::socket& socket, const std::string& greeting) {
  std::string buffer;
  boost::system::error_code code;
  asio::write(socket, asio::buffer(greeting), code);
  while (const auto size = asio::read_until(socket, asio::dynamic_buffer(buffer), "\r\n", code)) {
    asio::write(socket, asio::buffer("250 " + buffer.substr(0, size)), code);
    buffer.erase(0, size);
  }
}

TEST_F(StreamTlsTest, SpeaksSmtpUntilStartTls) {
  Backend good([](auto& socket) { mail_server(socket, "220-hello\r\n220 there\r\n"); });
  Backend full([](auto& socket) { mail_server(socket, "554 no service\r\n"); });
  set_upstream("good", {good.port()});
  set_upstream("full", {full.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.tls.start_tls = snapshot::StartTls::kSmtp;
  stream_.rules = {rule("good", {"mail.example.com"}), rule("full", {"full.example.com"})};
  serve();
  const auto begin = [&](Connection& connection, const std::string& last) {
    EXPECT_EQ(connection.receive(20), "220 penstock ESMTP\r\n");
    connection.send("EHLO me\r\n");
    EXPECT_EQ(connection.receive(28), "250-penstock\r\n250 STARTTLS\r\n");
    connection.send("MAIL FROM:<me@example.com>\r\n");
    EXPECT_TRUE(connection.receive(47).starts_with("530 5.7.0"));
    connection.send(last);
  };
  for (const auto& [name, expected] :
       {std::pair<std::string, std::string>{"mail.example.com", "250 EHLO again\r\n"},
        {"full.example.com", "554 no service\r\n"}}) {
    Connection connection(stream_.port);
    begin(connection, "starttls\r\n");
    EXPECT_EQ(connection.receive(25), "220 2.0.0 ready for TLS\r\n");
    TlsPeerOptions options;
    options.server_name = name;
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    ASSERT_TRUE(peer.is_secured()) << peer.failure();
    peer.send("EHLO again\r\n");
    EXPECT_EQ(peer.receive(expected.size()), expected);
  }
  Connection injecting(stream_.port);
  begin(injecting, "STARTTLS\r\nRSET\r\n");
  EXPECT_EQ(injecting.receive_all(), "") << "nothing in the clear goes on behind STARTTLS";
  Connection early(stream_.port);
  early.send(std::string(4000, 'x'));
  early.receive_all();
  EXPECT_EQ(good.accepted, 1);
}

}  // namespace
}  // namespace penstock::worker
