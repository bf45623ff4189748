// Server names of the HTTPS port that streams have, beside hosts that are served.
#include "tests/unit/proxy/worker/stream_tls_fixture.h"

namespace penstock::worker {
namespace {

using snapshot::StreamEntrance;

/// A TLS server that says its name and the one it was asked for as soon as something comes.
auto answering(const std::string& name, TlsPeerOptions options) {
  return [name, options = std::move(options)](asio::ip::tcp::socket& socket) {
    TlsPeer peer(socket.native_handle(), TlsPeer::kServer, options);
    if (!peer.is_secured() || peer.receive(1).empty()) return;
    peer.send(name + "/" + peer.server_name() + " answers");
    peer.end();
  };
}

class HttpsNamesTest : public StreamTlsTest {
 protected:
  HttpsNamesTest() {
    log_.set_path(log_path_);
    global_.listeners.push_back({"127.0.0.1", stream_.port, true});
    global_.access_log.stream_format = "$proxy_upstream_name $status $reason $bytes_received.";
    set(snapshot::PartKind::kGlobal, "", global_);
    set_certificate("web/tls", pair_);
    set_certificate(std::string(snapshot::kDefaultCertificate), pair_);
    set_upstream("web", {web_.port()});
    for (const std::string name : {"web.example.com", "*.wild.example.com", "_"}) add_host(name);
    stream_.address.clear();
    stream_.entrance = StreamEntrance::kHttps;
    stream_.owner = "HTTPS";
    stream_.tls.mode = StreamTlsMode::kPassthrough;
  }
  ~HttpsNamesTest() override {
    stop();
    std::filesystem::remove(log_path_);
  }

  void add_host(const std::string& name) {
    snapshot::Route route;
    route.path = "/";
    route.ingress = "web";
    route.upstream = "web";
    set(snapshot::PartKind::kHost, name, snapshot::Host{name, "web/tls", {route}});
  }
  snapshot::Stream passed(const std::string& object) {
    snapshot::Stream made;
    made.name = stream_.name + "/n/" + object;
    made.port = stream_.port;
    made.name_space = "n";
    made.object = object;
    made.log_name = "log-of-" + object;
    made.entrance = StreamEntrance::kNames;
    made.tls.mode = StreamTlsMode::kPassthrough;
    made.rules = {rule(object)};
    return made;
  }
  /// The first word of the answer: what a stream's backend says, or HTTP's.
  std::string ask_https(const std::string& server_name, const std::string& before = {}) {
    Connection connection(stream_.port);
    if (!before.empty()) connection.send(before);
    TlsPeerOptions options;
    options.server_name = server_name;
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    if (!peer.is_secured()) return "failed: " + peer.failure();
    peer.send("GET / HTTP/1.1\r\nHost: web.example.com\r\nConnection: close\r\n\r\n");
    const auto text = peer.receive_all();
    return text.substr(0, text.find_first_of("\r "));
  }
  /// Served by HTTP.
  static constexpr std::string_view kHttp = "HTTP/1.1";

  Backend web_{echo_heads};
};

TEST_F(HttpsNamesTest, NamesOfStreamsArePassedThroughAndAllElseIsServed) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend one(answering("one", options));
  Backend wild(answering("wild", options));
  set_upstream("one", {one.port()});
  set_upstream("wild", {wild.port()});
  const auto first = passed("one");
  const auto second = passed("wild");
  set(snapshot::PartKind::kStream, first.name, first);
  set(snapshot::PartKind::kStream, second.name, second);
  stream_.delegates = {{"*.example.com", second.name}, {"one.test", first.name}};
  serve();
  EXPECT_EQ(ask_https("one.test"), "one/one.test");
  EXPECT_EQ(ask_https("other.example.com"), "wild/other.example.com");
  EXPECT_EQ(ask_https("a.b.example.com"), "wild/a.b.example.com");
  // A host that is named goes before a wildcard, a longer wildcard before a shorter.
  EXPECT_EQ(ask_https("web.example.com"), kHttp);
  EXPECT_EQ(ask_https("a.wild.example.com"), kHttp);
  EXPECT_EQ(ask_https("a.b.wild.example.com"), "wild/a.b.wild.example.com")
      << "a wildcard of HTTP takes one label";
  EXPECT_EQ(ask_https("elsewhere.test"), kHttp);
  EXPECT_EQ(ask_https(""), kHttp);
  EXPECT_TRUE(wait_for_log("log-of-one 200 ").contains("log-of-one 200 "));
  const auto text = metrics_.text(0, 0);
  EXPECT_TRUE(text.contains("penstock_stream_sessions_total{stream=\"" + stream_.name +
                            "\",namespace=\"n\",name=\"one\",reason="))
      << text;
  EXPECT_FALSE(text.contains("stream=\"" + stream_.name + "\",namespace=\"\"")) << text;
}

TEST_F(HttpsNamesTest, EveryByteOfTheHelloIsCarriedAndCounted) {
  Backend one(named("one"));
  set_upstream("one", {one.port()});
  const auto first = passed("one");
  set(snapshot::PartKind::kStream, first.name, first);
  stream_.delegates = {{"one.test", first.name}};
  serve();
  const auto bytes = test::spread_over_records(test::make_client_hello("one.test"), 40);
  Client client(stream_.port);
  for (std::size_t at = 0; at < bytes.size(); at += 90) {
    client.send(bytes.substr(at, 90));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  client.send("and more");
  client.end();
  EXPECT_EQ(client.receive_all(), "one got " + bytes + "and more");
  const auto line = "log-of-one 200 client_closed " + std::to_string(bytes.size() + 8) + ".";
  EXPECT_TRUE(wait_for_log(line).contains(line)) << wait_for_log(line);
}

TEST_F(HttpsNamesTest, AHelloOfHttpIsServedHoweverItArrives) {
  const auto first = passed("one");
  set_upstream("one", {});
  set(snapshot::PartKind::kStream, first.name, first);
  stream_.delegates = {{"one.test", first.name}};
  serve();
  // A real client whose hello is spread over two writes.
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::make_address("127.0.0.1"), stream_.port});
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  SSL_set_tlsext_host_name(ssl, "web.example.com");
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  const auto flush = [&](std::size_t piece) {
    char* data = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(SSL_get_wbio(ssl), &data));
    const std::string bytes(data, size);
    BIO_reset(SSL_get_wbio(ssl));
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      asio::write(socket, asio::buffer(bytes.substr(at, piece)));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  std::array<char, 4096> buffer;
  bool is_secured = false;
  for (int i = 0; i < 10 && !is_secured; ++i) {
    is_secured = SSL_do_handshake(ssl) == 1;
    flush(60);
    if (is_secured) break;
    boost::system::error_code code;
    const auto got = socket.read_some(asio::buffer(buffer), code);
    if (code) break;
    BIO_write(SSL_get_rbio(ssl), buffer.data(), static_cast<int>(got));
  }
  EXPECT_TRUE(is_secured);
  SSL_free(ssl);
  SSL_CTX_free(context);
  // What is no hello is told so by an alert, as on a port where nobody has names.
  Client clear(stream_.port);
  clear.send("GET / HTTP/1.1\r\n\r\n");
  clear.end();
  clear.receive_all();
  EXPECT_EQ(ask_https("web.example.com"), kHttp);
}

TEST_F(HttpsNamesTest, TheProxyHeaderComesFirst) {
  global_.forwarded.uses_proxy_protocol = true;
  set(snapshot::PartKind::kGlobal, "", global_);
  Backend one(named("one"));
  set_upstream("one", {one.port()});
  auto first = passed("one");
  first.rules[0].backends[0].proxy_protocol = snapshot::ProxyProtocolOut::kV1;
  first.access.allowed = {*base::IpNet::parse("192.0.2.0/24")};
  set(snapshot::PartKind::kStream, first.name, first);
  stream_.delegates = {{"one.test", first.name}};
  serve();
  const auto header = [](const std::string& client) {
    return net::encode_proxy_v2(
        {{asio::ip::make_address(client), 7}, {asio::ip::make_address("198.51.100.1"), 443}});
  };
  const auto hello = test::make_client_hello("one.test");
  const auto send = [&](const std::string& client) {
    Client connection(stream_.port);
    connection.send(header(client) + hello);
    connection.end();
    return connection.receive_all();
  };
  EXPECT_EQ(send("192.0.2.9"), "one got PROXY TCP4 192.0.2.9 198.51.100.1 7 443\r\n" + hello);
  EXPECT_EQ(send("203.0.113.9"), "") << "not admitted";
  EXPECT_EQ(ask_https("web.example.com", header("203.0.113.9")), kHttp);
}

TEST_F(HttpsNamesTest, WhoIsThereWhenADrainBeginsIsStillPassedThrough) {
  Backend one(named("one"));
  set_upstream("one", {one.port()});
  const auto first = passed("one");
  set(snapshot::PartKind::kStream, first.name, first);
  stream_.delegates = {{"one.test", first.name}};
  serve();
  const auto hello = test::make_client_hello("one.test");
  Client client(stream_.port);
  client.send(hello.substr(0, 50));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!metrics_.text(0, 0).contains("state=\"reading\"} 1")) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the worker has not begun to read";
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  worker_.drain(base::Duration(10'000));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  client.send(hello.substr(50));
  client.end();
  EXPECT_EQ(client.receive_all(), "one got " + hello);
}

TEST_F(HttpsNamesTest, NamesComeAndGoWithoutTouchingAnyConnection) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend one(answering("one", options));
  set_upstream("one", {one.port()});
  EXPECT_TRUE(adopt().empty());
  EXPECT_EQ(ask_https("one.test"), kHttp) << "nobody has it yet";
  const auto first = passed("one");
  set(snapshot::PartKind::kStream, first.name, first);
  stream_.delegates = {{"one.test", first.name}};
  serve();
  EXPECT_EQ(ask_https("one.test"), "one/one.test");
  Connection connection(stream_.port);
  options = {};
  options.server_name = "one.test";
  TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
  ASSERT_TRUE(peer.is_secured()) << peer.failure();
  remove(snapshot::PartKind::kStream, first.name);
  remove(snapshot::PartKind::kStream, stream_.name);
  EXPECT_TRUE(adopt().empty());
  EXPECT_EQ(ask_https("one.test"), kHttp);
  peer.send("still here");
  EXPECT_EQ(peer.receive_all(), "one/one.test answers");
}

}  // namespace
}  // namespace penstock::worker
