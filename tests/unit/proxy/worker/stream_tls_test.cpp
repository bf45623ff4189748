// TLS on TCP ports of a worker: passed through, terminated, and towards endpoints.
#include "tests/unit/proxy/worker/stream_tls_fixture.h"

namespace penstock::worker {
namespace {

using snapshot::ClientAuth;

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

TEST_F(StreamTlsTest, OneServerNameGoesToOneEndpoint) {
  TlsPeerOptions options;
  options.pair = pair_;
  std::vector<std::unique_ptr<Backend>> backends;
  std::vector<std::uint16_t> ports;
  for (const auto* name : {"one", "two", "three", "four"}) {
    backends.push_back(std::make_unique<Backend>(secure_named(name, options)));
    ports.push_back(backends.back()->port());
  }
  set_upstream("up", ports);
  snapshot::Upstream upstream;
  upstream.name = "up";
  upstream.balancing.algorithm = snapshot::Algorithm::kHash;
  set(snapshot::PartKind::kUpstream, "up", upstream);
  stream_.tls.mode = StreamTlsMode::kPassthrough;
  stream_.hash_key = snapshot::HashKey::kServerName;
  stream_.rules = {rule("up")};
  serve();
  std::set<std::string> chosen;
  for (int i = 0; i < 16; ++i) {
    const auto name = "db" + std::to_string(i) + ".example.com";
    const auto first = ask_for(name);
    chosen.insert(first.substr(0, first.find('/')));
    EXPECT_EQ(ask_for(name), first) << "from another port";
  }
  EXPECT_GT(chosen.size(), 1U) << "names are spread";
  EXPECT_EQ(ask_for(""), ask_for("")) << "by the address";
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
  auto& tls = encrypt(stream_.rules[0]);
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
  encrypt(stream_.rules[0]).certificate = "a/ours";
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
