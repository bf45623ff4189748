// What a UDP port carries.
#include "tests/unit/proxy/worker/udp_fixture.h"

namespace penstock::worker::udp_ports {
namespace {

TEST_F(UdpTest, CarriesDatagramsBothWays) {
  UdpBackend backend;
  stream_.max_responses = 1;
  serve({backend.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("hello"), "hello");
  EXPECT_EQ(client.ask(""), "") << "an empty datagram is one, too";
  const std::string large(60'000, 'x');
  EXPECT_EQ(client.ask(large), large);
  EXPECT_TRUE(has_active(0)) << "each answer ends its session";
  EXPECT_EQ(ended("answered"), 3);
  EXPECT_EQ(metric("penstock_stream_received_bytes_total"), 60'005);
  EXPECT_EQ(metric("penstock_stream_sent_bytes_total"), 60'005);
  const auto log = wait_for_log("UDP 200 60000 60000");
  EXPECT_TRUE(log.contains("[127.0.0.1] [")) << log;
  EXPECT_TRUE(log.contains("UDP 200 5 5 0.0")) << log;
}

TEST_F(UdpTest, KeepsManyClientsApart) {
  UdpBackend backend([](const std::string& text) { return std::vector{"1" + text, "2" + text}; });
  serve({backend.port()});
  std::vector<std::unique_ptr<UdpClient>> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(std::make_unique<UdpClient>(stream_.port));
  constexpr std::size_t kAtOnce = 50;  // more than the backend's socket holds would be lost
  for (std::size_t begin = 0; begin < 3 * clients.size(); begin += kAtOnce) {
    const auto visit = [&](auto call) {
      for (auto i = begin; i < begin + kAtOnce; ++i) {
        call(*clients[i % clients.size()], std::to_string(i % clients.size()));
      }
    };
    visit([](UdpClient& client, const std::string& text) { client.send(text); });
    visit([](UdpClient& client, const std::string& text) {
      EXPECT_EQ(client.receive(), "1" + text);
      EXPECT_EQ(client.receive(), "2" + text);
    });
  }
  EXPECT_EQ(backend.sources(), 300U) << "a session keeps its socket";
  EXPECT_EQ(begun(), 300);
  EXPECT_EQ(metric("penstock_stream_sessions_active"), 300);
}

TEST_F(UdpTest, SessionsOutliveChangesOfEverythingAround) {
  UdpBackend backend;
  UdpBackend other;
  serve({backend.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("1"), "1");
  stream_.idle_timeout = base::Duration(60'000);
  stream_.max_sessions = 7;
  serve({backend.port(), other.port()});
  stream_.backends.push_back({"more", 5, snapshot::ProxyProtocolOut::kNone});
  set_upstream("more", {other.port()});
  set_stream();
  EXPECT_TRUE(adopt().empty());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.ask("2"), "2");
  EXPECT_EQ(backend.received, 11);
  EXPECT_EQ(backend.sources(), 1U);
  EXPECT_EQ(begun(), 1);
}

TEST_F(UdpTest, LeavesAnEndpointThatHasGone) {
  UdpBackend first([](const std::string&) { return std::vector<std::string>{"first"}; });
  UdpBackend second([](const std::string&) { return std::vector<std::string>{"second"}; });
  serve({first.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("?"), "first");
  serve({second.port()});
  EXPECT_EQ(client.ask("?"), "second");
  serve({});
  EXPECT_EQ(client.ask("?"), "second") << "better the one that is leaving than none";
  UdpClient newcomer(stream_.port);
  EXPECT_EQ(newcomer.ask("?", 100), std::nullopt);
  EXPECT_TRUE(wait_for_log("UDP 502 0 ").contains("UDP 502 0 "));
}

TEST_F(UdpTest, AsksAnotherEndpointWhereOneIsNotThere) {
  UdpBackend backend;
  serve({free_port(), free_port(), backend.port()});
  for (int i = 0; i < 6; ++i) {
    UdpClient client(stream_.port);
    EXPECT_EQ(client.ask("hello"), "hello") << i;
  }
  EXPECT_EQ(backend.received, 6);
  EXPECT_TRUE(metrics_.text(0, 0).contains(
      "penstock_upstream_failures_total{upstream=\"up\",reason=\"connect_refused\"} 2"))
      << "an ICMP message counts as a failure, and one failure is enough here";
}

TEST_F(UdpTest, EndsASessionWhoseEndpointsAreAllDead) {
  serve({free_port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("hello", 200), std::nullopt);
  EXPECT_TRUE(has_active(0));
  EXPECT_EQ(ended("connect_refused"), 1);
  EXPECT_TRUE(wait_for_log("UDP 502 0 5").contains("UDP 502 0 5"));
}

TEST_F(UdpTest, BeginsAnotherSessionAfterSoManyRequests) {
  UdpBackend backend;
  stream_.max_requests = 2;
  stream_.max_responses = 1;
  serve({backend.port()});
  UdpClient client(stream_.port);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(client.ask("x"), "x");
  EXPECT_EQ(backend.sources(), 3U);
  EXPECT_TRUE(has_active(0));
  EXPECT_EQ(ended("answered"), 3);
}

TEST_F(UdpTest, WaitsForNoAnswerWhereNoneIsExpected) {
  UdpBackend backend([](const std::string&) { return std::vector<std::string>{}; });
  stream_.max_responses = 0;
  serve({backend.port()});
  UdpClient client(stream_.port);
  for (int i = 0; i < 100; ++i) client.send("<13>message");
  EXPECT_TRUE(eventually([&] { return backend.received == 100; }));
  EXPECT_TRUE(has_active(0));
}

TEST_F(UdpTest, EndsIdleSessions) {
  UdpBackend backend;
  stream_.idle_timeout = base::Duration(50);
  serve({backend.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("hello"), "hello");
  EXPECT_TRUE(has_active(0));
  EXPECT_TRUE(wait_for_log("UDP 200 5 5").contains("UDP 200 5 5"));
  EXPECT_EQ(client.ask("again"), "again");
  EXPECT_EQ(backend.sources(), 2U);
}

TEST_F(UdpTest, SendsAProxyHeaderBeforeEveryDatagram) {
  UdpBackend backend([](const std::string& text) {
    const auto header = net::parse_proxy_header(text);
    return std::vector<std::string>{
        header.state == net::ProxyHeader::State::kDone ? text.substr(header.size) : "no header"};
  });
  stream_.backends[0].proxy_protocol = snapshot::ProxyProtocolOut::kV2;
  serve({backend.port()});
  UdpClient client(stream_.port);
  for (const auto* text : {"one", "two"}) {
    EXPECT_EQ(client.ask(text), text);
    const auto last = backend.last();
    EXPECT_EQ(last[13], '\x12') << "IPv4, datagram";
    // Of this family our parser reads the addresses no further than STREAM; the bytes tell them.
    EXPECT_EQ(static_cast<std::uint8_t>(last[16]), 127);
    EXPECT_EQ((static_cast<std::uint8_t>(last[24]) << 8) | static_cast<std::uint8_t>(last[25]),
              client.port());
    EXPECT_EQ((static_cast<std::uint8_t>(last[26]) << 8) | static_cast<std::uint8_t>(last[27]),
              stream_.port);
  }
}

/// A socket on every address answers from the one that was asked.
TEST_F(UdpTest, AnswersFromTheAddressThatWasAsked) {
  UdpBackend backend;
  stream_.address = "";
  serve({backend.port()});
  for (const auto* address : {"127.0.0.1", "127.0.0.2", "127.1.2.3"}) {
    UdpClient client(stream_.port, address);
    EXPECT_EQ(client.ask("hello"), "hello") << address;
  }
  asio::io_context io;
  boost::system::error_code code;
  udp::socket probe(io);
  probe.open(udp::v6(), code);
  probe.connect(local(stream_.port, "::1"), code);
  if (code) GTEST_SKIP() << "this host has no IPv6";
  UdpClient client(stream_.port, "::1");
  EXPECT_EQ(client.ask("hello"), "hello");
}

TEST_F(UdpTest, HashesTheAddressOrTheAddressAndPort) {
  std::vector<std::unique_ptr<UdpBackend>> backends;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 4; ++i) {
    backends.push_back(std::make_unique<UdpBackend>());
    ports.push_back(backends.back()->port());
  }
  const auto used = [&] {
    int count = 0;
    for (const auto& each : backends) count += each->received.exchange(0) > 0 ? 1 : 0;
    return count;
  };
  set_upstream("up", ports, snapshot::Algorithm::kHash);
  set_stream();
  adopt();
  for (int i = 0; i < 40; ++i) EXPECT_EQ(UdpClient(stream_.port).ask("x"), "x");
  EXPECT_EQ(used(), 1);
  stream_.hash_key = snapshot::HashKey::kAddressAndPort;
  set_stream();
  adopt();
  for (int i = 0; i < 40; ++i) EXPECT_EQ(UdpClient(stream_.port).ask("x"), "x");
  EXPECT_GT(used(), 2);
}

TEST_F(UdpTest, PassesOverABackendThatHasNoEndpoint) {
  UdpBackend backend;
  stream_.backends = {{"empty", 1000, snapshot::ProxyProtocolOut::kNone},
                      {"up", 1, snapshot::ProxyProtocolOut::kNone}};
  set_upstream("empty", {});
  serve({backend.port()});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(UdpClient(stream_.port).ask("x"), "x");
}

TEST_F(UdpTest, ADrainEndsWhenNothingIsAwaitedAnyMore) {
  UdpBackend backend;
  serve({backend.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("hello"), "hello");
  const auto began = std::chrono::steady_clock::now();
  worker_.drain(base::Duration(60'000));
  EXPECT_EQ(client.ask("still"), "still");
  worker_.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

}  // namespace
}  // namespace penstock::worker::udp_ports
