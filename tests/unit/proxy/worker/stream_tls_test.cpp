// TLS on TCP ports of a worker: passed through, terminated, and towards endpoints.
#include "proxy/base/ip_net.h"
#include "proxy/net/proxy_protocol.h"
#include "tests/support/certificates.h"
#include "tests/support/client_hello.h"
#include "tests/support/tls_peer.h"
#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {
namespace {

using snapshot::ClientAuth;
using snapshot::StreamTlsMode;
using test::TlsPeer;
using test::TlsPeerOptions;

/// A blocking connection to a port.
class Connection {
 public:
  explicit Connection(std::uint16_t port) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
  }
  int descriptor() { return socket_.native_handle(); }
  void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  std::string receive(std::size_t size) {
    boost::system::error_code code;
    std::string text(size, '\0');
    text.resize(asio::read(socket_, asio::buffer(text), code));
    return text;
  }
  std::string receive_all() {
    boost::system::error_code code;
    std::string text;
    asio::read(socket_, asio::dynamic_buffer(text), code);
    return text;
  }

 private:
  asio::io_context io_;
  asio::ip::tcp::socket socket_{io_};
};

/// Says its name and what it was sent.
auto named(const std::string& name) {
  return [name](asio::ip::tcp::socket& socket) {
    std::string all;
    boost::system::error_code code;
    asio::read(socket, asio::dynamic_buffer(all), code);
    asio::write(socket, asio::buffer(name + " got " + all), code);
  };
}

/// A TLS server that says its name, the server name it was asked for, and what it was sent.
auto secure_named(const std::string& name, TlsPeerOptions options) {
  return [name, options = std::move(options)](asio::ip::tcp::socket& socket) {
    TlsPeer peer(socket.native_handle(), TlsPeer::kServer, options);
    if (!peer.is_secured()) return;
    const auto text = peer.receive_all();
    peer.send(name + "/" + peer.server_name() + " got " + text);
    peer.end();
  };
}

class StreamTlsTest : public WorkerTest {
 protected:
  StreamTlsTest() {
    stream_.address = "127.0.0.1";
    stream_.port = free_port();
    stream_.name = "tcp/" + std::to_string(stream_.port);
    stream_.owner = "TCPService a/b";
  }
  void serve() {
    set(snapshot::PartKind::kStream, stream_.name, stream_);
    EXPECT_TRUE(adopt().empty());
  }
  void set_certificate(const std::string& name, const test::PemPair& pair) {
    set(snapshot::PartKind::kCertificate, name, snapshot::Certificate{name, pair.chain, pair.key});
  }
  void terminate(std::vector<std::string> certificates) {
    stream_.tls.mode = StreamTlsMode::kTerminate;
    stream_.tls.certificates = std::move(certificates);
  }
  snapshot::StreamRule rule(const std::string& upstream, std::vector<std::string> names = {},
                            std::vector<std::string> protocols = {}) {
    snapshot::StreamRule made;
    made.backends.resize(1);
    made.backends[0].upstream = upstream;
    made.server_names = std::move(names);
    made.protocols = std::move(protocols);
    return made;
  }
  /// What a TLS client gets for "hello", or "failed: <why>".
  std::string ask(const TlsPeerOptions& options = {}) {
    Connection connection(stream_.port);
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    if (!peer.is_secured()) return "failed: " + peer.failure();
    peer.send("hello");
    peer.end();
    auto text = peer.receive_all();
    return text.empty() ? "failed: " + peer.failure() : text;
  }
  std::string ask_for(const std::string& server_name) {
    TlsPeerOptions options;
    options.server_name = server_name;
    return ask(options);
  }

  snapshot::Stream stream_;
  const test::PemPair pair_ = test::make_certificate({"db.example.com"});
};

TEST_F(StreamTlsTest, IsPassedThroughByServerNameAndProtocol) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend exact(secure_named("exact", options));
  Backend wild(secure_named("wild", options));
  Backend longer(secure_named("longer", options));
  Backend rest(secure_named("rest", options));
  Backend fast(secure_named("fast", options));
  set_upstream("exact", {exact.port()});
  set_upstream("wild", {wild.port()});
  set_upstream("longer", {longer.port()});
  set_upstream("rest", {rest.port()});
  set_upstream("fast", {fast.port()});
  stream_.tls.mode = StreamTlsMode::kPassthrough;
  stream_.rules = {rule("rest"), rule("wild", {"*.example.com"}),
                   rule("longer", {"*.db.example.com"}), rule("fast", {"db.example.com"}, {"fast"}),
                   rule("exact", {"db.example.com"})};
  serve();
  EXPECT_EQ(ask_for("db.example.com"), "exact/db.example.com got hello");
  EXPECT_EQ(ask_for("DB.example.com"), "exact/DB.example.com got hello");
  EXPECT_EQ(ask_for("other.example.com"), "wild/other.example.com got hello");
  EXPECT_EQ(ask_for("a.b.example.com"), "wild/a.b.example.com got hello");
  EXPECT_EQ(ask_for("a.db.example.com"), "longer/a.db.example.com got hello");
  EXPECT_EQ(ask_for("example.com"), "rest/example.com got hello");
  EXPECT_EQ(ask_for(""), "rest/ got hello");
  TlsPeerOptions client;
  client.server_name = "db.example.com";
  client.protocols =
      "\x04slow\x04"
      "fast";
  EXPECT_EQ(ask(client), "fast/db.example.com got hello");
}

TEST_F(StreamTlsTest, PassesAHelloThroughHoweverItArrives) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  stream_.tls.mode = StreamTlsMode::kPassthrough;
  stream_.rules = {rule("up", {"db.example.com"})};
  stream_.limits.connections = 100;
  serve();
  const auto hello = test::make_client_hello("db.example.com");
  for (const auto& bytes : {hello, test::spread_over_records(hello, 9)}) {
    Client client(stream_.port);
    for (std::size_t at = 0; at < bytes.size(); at += 100) {
      client.send(bytes.substr(at, 100));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    client.send("and more");
    client.end();
    EXPECT_EQ(client.receive_all(), "up got " + bytes + "and more");
  }
  // Nobody is asked for what is not TLS, is cut short, or names nobody.
  const auto before = backend.accepted.load();
  for (const auto& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), hello.substr(0, 90),
                            test::make_client_hello("other.example.com"), std::string()}) {
    Client client(stream_.port);
    client.send(bytes);
    client.end();
    EXPECT_EQ(client.receive_all(), "");
  }
  EXPECT_EQ(backend.accepted, before);
}

TEST_F(StreamTlsTest, IsTerminatedWithTheCertificateOfTheName) {
  Backend backend(named("up"));
  Backend other(named("other"));
  set_upstream("up", {backend.port()});
  set_upstream("other", {other.port()});
  const auto second = test::make_certificate({"*.other.example"});
  set_certificate("a/first", pair_);
  set_certificate("a/second", second);
  terminate({"a/first", "a/second"});
  stream_.rules = {rule("up"), rule("other", {"*.other.example"})};
  log_.set_path(log_path_);
  serve();
  TlsPeerOptions options;
  options.authority = pair_.chain;
  EXPECT_EQ(ask(options), "up got hello") << "the first is the default";
  options.server_name = "db.example.com";
  EXPECT_EQ(ask(options), "up got hello");
  options.max_version = TLS1_2_VERSION;
  EXPECT_EQ(ask(options), "up got hello");
  options.server_name = "x.other.example";
  EXPECT_TRUE(ask(options).starts_with("failed: certificate verify failed")) << ask(options);
  options.authority = second.chain;
  EXPECT_EQ(ask(options), "other got hello");

  // Another pair in the same Secret: at once, and for who comes next alone.
  Connection connection(stream_.port);
  TlsPeer open(connection.descriptor(), TlsPeer::kClient, {});
  ASSERT_TRUE(open.is_secured());
  const auto renewed = test::make_certificate({"db.example.com"});
  set_certificate("a/first", renewed);
  adopt();
  options = {};
  options.authority = renewed.chain;
  EXPECT_EQ(ask(options), "up got hello");
  EXPECT_EQ(open.peer_certificate(), pair_.chain);
  open.send("still here");
  open.end();
  EXPECT_EQ(open.receive_all(), "up got still here");
  std::filesystem::remove(log_path_);
}

TEST_F(StreamTlsTest, CarriesBulkBothWays) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    boost::system::error_code code;
    std::string bytes;
    asio::read(socket, asio::dynamic_buffer(bytes), code);
    asio::write(socket, asio::buffer(bytes), code);
  });
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.rules = {rule("up")};
  serve();
  std::string bytes(3'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 1000);
  Connection connection(stream_.port);
  TlsPeer peer(connection.descriptor(), TlsPeer::kClient, {});
  ASSERT_TRUE(peer.is_secured());
  peer.send(bytes);
  peer.end();
  EXPECT_EQ(peer.receive_all(), bytes);
}

TEST_F(StreamTlsTest, FailsClosedWithoutACertificate) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  terminate({});
  stream_.rules = {rule("up")};
  serve();
  EXPECT_TRUE(ask().starts_with("failed: ")) << ask();
  Client clear(stream_.port);
  clear.send("in the clear");
  clear.end();
  clear.receive_all();
  EXPECT_EQ(backend.accepted, 0);
  // Settings that OpenSSL does not take close the port as well.
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.tls.ciphers = "NOTHING-KNOWN";
  serve();
  EXPECT_TRUE(ask().starts_with("failed: ")) << ask();
  EXPECT_EQ(backend.accepted, 0);
}

TEST_F(StreamTlsTest, KeepsToVersionsCiphersCurvesAndProtocols) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.tls.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  stream_.tls.tls13_ciphers = "TLS_AES_128_GCM_SHA256";
  stream_.tls.curves = "P-384";
  stream_.tls.protocols = {"imap", "pop3"};
  stream_.rules = {rule("up", {}, {"pop3"})};
  serve();
  const auto shake = [&](const TlsPeerOptions& options) {
    Connection connection(stream_.port);
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    return peer.is_secured() ? peer.version() + " " + peer.cipher() + " " + peer.protocol()
                             : "failed: " + peer.failure();
  };
  TlsPeerOptions options;
  EXPECT_EQ(shake(options), "TLSv1.3 TLS_AES_128_GCM_SHA256 ");
  options.max_version = TLS1_2_VERSION;
  EXPECT_EQ(shake(options), "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305 ");
  options = {};
  options.protocols = "\x04pop3\x04imap";
  EXPECT_EQ(shake(options), "TLSv1.3 TLS_AES_128_GCM_SHA256 imap") << "our preference";
  options.protocols = "\x04smtp";
  EXPECT_EQ(shake(options), "failed: tlsv1 alert no application protocol");
  options.protocols = "\x04pop3";
  EXPECT_EQ(ask(options), "up got hello");
  options.protocols = "\x04imap";
  EXPECT_TRUE(ask(options).starts_with("failed: ")) << "no rule takes it";
  stream_.tls.allows_tls12 = false;
  serve();
  options = {};
  options.max_version = TLS1_2_VERSION;
  EXPECT_EQ(shake(options), "failed: tlsv1 alert protocol version");
}

TEST_F(StreamTlsTest, AsksForClientCertificates) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  const auto known = test::make_certificate({"client"});
  const auto unknown = test::make_certificate({"stranger"});
  stream_.tls.client_auth = ClientAuth::kRequired;
  stream_.tls.client_authorities_pem = known.chain;
  stream_.rules = {rule("up")};
  serve();
  TlsPeerOptions options;
  EXPECT_TRUE(ask(options).starts_with("failed: ")) << "none";
  options.pair = known;
  EXPECT_EQ(ask(options), "up got hello");
  options.max_version = TLS1_2_VERSION;
  EXPECT_EQ(ask(options), "up got hello");
  options.pair = unknown;
  EXPECT_TRUE(ask(options).starts_with("failed: ")) << "a stranger's";
  stream_.tls.client_auth = ClientAuth::kOptional;
  serve();
  EXPECT_EQ(ask(), "up got hello") << "none";
  EXPECT_TRUE(ask(options).starts_with("failed: ")) << "a stranger's is not let through either";
  // Authorities that cannot be read let nobody in.
  stream_.tls.client_authorities_pem = "nonsense";
  serve();
  EXPECT_TRUE(ask().starts_with("failed: "));
}

TEST_F(StreamTlsTest, ReadsAProxyHeaderBeforeTls) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.proxy_protocol = snapshot::ProxyProtocolIn::kOptional;
  stream_.trusted_proxies = {*base::IpNet::parse("127.0.0.1")};
  stream_.rules = {rule("up")};
  stream_.rules[0].backends[0].proxy_protocol = snapshot::ProxyProtocolOut::kV1;
  serve();
  const net::ProxyAddresses addresses{{asio::ip::make_address("192.0.2.9"), 7},
                                      {asio::ip::make_address("198.51.100.1"), 9}};
  Connection connection(stream_.port);
  connection.send(net::encode_proxy_v2(addresses));
  TlsPeer peer(connection.descriptor(), TlsPeer::kClient, {});
  ASSERT_TRUE(peer.is_secured()) << peer.failure();
  peer.send("hello");
  peer.end();
  EXPECT_EQ(peer.receive_all(), "up got PROXY TCP4 192.0.2.9 198.51.100.1 7 9\r\nhello");
  // Without a header the first bytes were looked at, and belong to the handshake.
  EXPECT_TRUE(ask().starts_with("up got PROXY TCP4 127.0.0.1 127.0.0.1 ")) << ask();
}

TEST_F(StreamTlsTest, IsEncryptedAgainTowardsTheBackend) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend backend(secure_named("up", options));
  options.pair = test::make_certificate({"db.example.com"});
  Backend wrong(secure_named("wrong", options));
  set_upstream("up", {backend.port()});
  stream_.rules = {rule("up")};
  auto& tls = stream_.rules[0].backends[0].tls;
  tls.is_enabled = true;
  tls.server_name = "db.example.com";
  tls.authorities_pem = pair_.chain;
  serve();
  const auto ask_clear = [&] {
    Client client(stream_.port);
    client.send("hello");
    client.end();
    return client.receive_all();
  };
  EXPECT_EQ(ask_clear(), "up/db.example.com got hello");
  // An endpoint with another certificate is one that cannot be reached: the next is asked.
  set_upstream("up", {wrong.port(), backend.port()});
  serve();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(ask_clear(), "up/db.example.com got hello");
  EXPECT_GE(wrong.accepted, 1);
  set_upstream("up", {wrong.port()});
  serve();
  EXPECT_EQ(ask_clear(), "");
  tls.verifies = false;
  serve();
  EXPECT_EQ(ask_clear(), "wrong/db.example.com got hello");
  // The right certificate under another name.
  set_upstream("up", {backend.port()});
  tls.verifies = true;
  tls.server_name = "other.example.com";
  serve();
  EXPECT_EQ(ask_clear(), "");
}

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
  auto& tls = stream_.rules[0].backends[0].tls;
  tls.is_enabled = true;
  tls.server_name = "db.example.com";
  tls.authorities_pem = pair_.chain;
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

TEST_F(StreamTlsTest, PresentsItsOwnCertificateToTheBackend) {
  const auto ours = test::make_certificate({"penstock"});
  TlsPeerOptions options;
  options.pair = pair_;
  options.authority = ours.chain;
  Backend backend(secure_named("up", options));
  set_upstream("up", {backend.port()});
  set_certificate("a/ours", ours);
  stream_.rules = {rule("up")};
  auto& from = stream_.rules[0].backends[0];
  from.tls.is_enabled = true;
  from.tls.server_name = "db.example.com";
  from.tls.authorities_pem = pair_.chain;
  from.tls.certificate = "a/ours";
  serve();
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  serve();
  EXPECT_EQ(ask_for("client.example"), "up/db.example.com got hello") << "TLS on both sides";
  from.tls.certificate = "";
  serve();
  EXPECT_TRUE(ask_for("client.example").starts_with("failed: "));
}

}  // namespace
}  // namespace penstock::worker
