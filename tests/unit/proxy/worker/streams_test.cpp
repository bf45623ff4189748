// TCP ports of a worker.
#include "tests/unit/proxy/worker/fixture.h"

#include "proxy/base/ip_net.h"
#include "proxy/net/proxy_protocol.h"

namespace penstock::worker {
namespace {

TEST_F(WorkerTest, CarriesATcpStreamWithHalfClose) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string all;
    boost::system::error_code code;
    asio::read(socket, asio::dynamic_buffer(all), code);  // until the client's FIN
    asio::write(socket, asio::buffer("got " + std::to_string(all.size())), code);
  });
  const auto port = free_port();
  snapshot::Stream stream;
  stream.name = "tcp/" + std::to_string(port);
  stream.port = port;
  stream.rules = {{{}, {{"db", 1, snapshot::ProxyProtocolOut::kNone}}}};
  set_upstream("db", {backend.port()});
  set(snapshot::PartKind::kStream, stream.name, stream);
  EXPECT_TRUE(adopt().empty());
  Client client(port);
  client.send(std::string(300'000, 'x'));
  client.end();
  EXPECT_EQ(client.receive_all(), "got 300000");

  remove(snapshot::PartKind::kStream, stream.name);
  adopt();
  EXPECT_THROW(Client{port}, boost::system::system_error) << "the port is closed with its object";
}

TEST_F(WorkerTest, CarriesProxyHeadersOfStreams) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    boost::system::error_code code;
    std::string bytes;
    asio::read(socket, asio::dynamic_buffer(bytes), code);
    asio::write(socket, asio::buffer("got " + bytes), code);
  });
  log_.set_path(log_path_);
  set_upstream("up", {backend.port()});
  snapshot::Stream stream;
  stream.address = "127.0.0.1";
  stream.port = free_port();
  stream.name = "tcp/" + std::to_string(stream.port);
  stream.log_name = "tcp-n-s-1";
  stream.proxy_protocol = snapshot::ProxyProtocolIn::kRequired;
  stream.trusted_proxies = {*base::IpNet::parse("127.0.0.1")};
  stream.rules = {{{}, {{"up", 1, snapshot::ProxyProtocolOut::kV1}}}};
  set(snapshot::PartKind::kStream, stream.name, stream);
  adopt();
  const net::ProxyAddresses addresses{{asio::ip::make_address("192.0.2.9"), 7},
                                      {asio::ip::make_address("198.51.100.1"), 9}};
  {
    Client client(stream.port);
    client.send(net::encode_proxy_v2(addresses) + "hello");
    client.end();
    EXPECT_EQ(client.receive_all(), "got PROXY TCP4 192.0.2.9 198.51.100.1 7 9\r\nhello");
  }
  {
    Client client(stream.port);
    client.send("no header at all");
    EXPECT_EQ(client.receive_all(), "");
  }
  const auto log = wait_for_log("TCP 400");
  EXPECT_TRUE(log.contains("[192.0.2.9] [")) << log;
  EXPECT_TRUE(log.contains("] TCP 200 ")) << log;
  stream.proxy_protocol = snapshot::ProxyProtocolIn::kOptional;
  set(snapshot::PartKind::kStream, stream.name, stream);
  adopt();
  Client client(stream.port);
  client.send("plain");
  client.end();
  EXPECT_TRUE(client.receive_all().ends_with("\r\nplain"));
  for (const auto* reason : {R"(reason="client_closed"} 2)", R"(reason="bad_proxy_header"} 1)"}) {
    const auto line = "penstock_stream_sessions_total{stream=\"" + stream.name +
                      R"(",namespace="",name="",)" + reason;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!metrics_.text(0, 0).contains(line) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(metrics_.text(0, 0).contains(line)) << metrics_.text(0, 0);
  }
  std::filesystem::remove(log_path_);
}

TEST_F(WorkerTest, AServerMaySpeakFirstWhereAProxyHeaderIsOptional) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    boost::system::error_code code;
    asio::write(socket, asio::buffer(std::string("220 ready\n")), code);
    std::string bytes;
    asio::read(socket, asio::dynamic_buffer(bytes), code);
    asio::write(socket, asio::buffer("got " + bytes), code);
  });
  set_upstream("up", {backend.port()});
  snapshot::Stream stream;
  stream.address = "127.0.0.1";
  stream.port = free_port();
  stream.name = "tcp/" + std::to_string(stream.port);
  stream.proxy_protocol = snapshot::ProxyProtocolIn::kOptional;
  stream.trusted_proxies = {*base::IpNet::parse("127.0.0.1")};
  stream.rules = {{{}, {{"up", 1, snapshot::ProxyProtocolOut::kNone}}}};
  set(snapshot::PartKind::kStream, stream.name, stream);
  adopt();
  {
    Client silent(stream.port);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(silent.receive_line(), "220 ready\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
    silent.send("hello");
    silent.end();
    EXPECT_EQ(silent.receive_all(), "got hello");
  }
  // A header that has begun may take its time.
  const net::ProxyAddresses addresses{{asio::ip::make_address("192.0.2.9"), 7},
                                      {asio::ip::make_address("198.51.100.1"), 9}};
  const auto header = net::encode_proxy_v1(addresses);
  Client named(stream.port);
  named.send(header.substr(0, 20));
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  named.send(header.substr(20) + "hello");
  named.end();
  EXPECT_EQ(named.receive_all(), "220 ready\ngot hello");
}

}  // namespace
}  // namespace penstock::worker
