// Whom a UDP port serves, how much of it, and for how long.
#include "tests/unit/proxy/worker/udp_fixture.h"

namespace penstock::worker::udp_ports {
namespace {

TEST_F(UdpTest, BoundsSessions) {
  UdpBackend backend;
  stream_.max_sessions = 2;
  serve({backend.port()});
  UdpClient first(stream_.port);
  UdpClient second(stream_.port);
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(second.ask("b"), "b");
  UdpClient third(stream_.port);
  EXPECT_EQ(third.ask("c", 100), std::nullopt);
  EXPECT_TRUE(wait_for_log("UDP 503").contains("UDP 503"));
  // The second client never spoke again after its answer; after a while it makes room.
  EXPECT_TRUE(eventually([&] { return third.ask("c", 100) == "c"; }));
  const auto sources = backend.sources();
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(backend.sources(), sources) << "one that did keeps its session";
}

TEST_F(UdpTest, TellsOfItsLiveSessions) {
  UdpBackend backend;
  stream_.owner = "UDPService n/s";
  serve({backend.port()});
  UdpClient one(stream_.port);
  UdpClient two(stream_.port);
  EXPECT_EQ(one.ask("a"), "a");
  EXPECT_EQ(two.ask("bbb"), "bbb");
  EXPECT_EQ(two.ask("bbb"), "bbb");
  ReportRequest request;
  request.sessions.emplace(stream_.name, 20);
  std::promise<Report> told;
  worker_.report(request, [&](Report report) {
    report.finish(request);
    told.set_value(std::move(report));
  });
  const auto sessions = *told.get_future().get().sessions;
  EXPECT_EQ(sessions.active, 2U);
  ASSERT_EQ(sessions.busiest.size(), 2U);
  const auto& first = sessions.busiest[0];
  EXPECT_EQ(first.stream, stream_.name);
  EXPECT_EQ(first.owner, stream_.owner);
  EXPECT_EQ(first.protocol, "UDP");
  EXPECT_EQ(first.client, "127.0.0.1:" + std::to_string(two.port()));
  EXPECT_EQ(first.endpoint, "127.0.0.1:" + std::to_string(backend.port()));
  EXPECT_EQ(first.received, 6U);
  EXPECT_EQ(first.sent, 6U);
  EXPECT_EQ(sessions.busiest[1].carried(), 2U);
}

TEST_F(UdpTest, BoundsSessionsOfOneAddress) {
  UdpBackend backend;
  stream_.max_sessions_per_address = 2;
  serve({backend.port()});
  UdpClient first(stream_.port);
  UdpClient second(stream_.port);
  UdpClient third(stream_.port);
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(second.ask("b"), "b");
  EXPECT_EQ(third.ask("c", 100), std::nullopt);
  EXPECT_EQ(second.ask("b"), "b");
  stream_.max_sessions_per_address = 3;
  set_stream();
  adopt();
  EXPECT_EQ(third.ask("c"), "c");
}

TEST_F(UdpTest, LimitsHoldOverAllWorkers) {
  UdpBackend backend;
  stream_.max_sessions = 10;
  serve({backend.port()});
  Worker other(Telemetry{&metrics_.worker(1), &log_, limits_});
  other.start();
  EXPECT_TRUE(adopt(other).empty());
  std::vector<std::unique_ptr<UdpClient>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<UdpClient>(stream_.port));
    clients.back()->send("x");
  }
  int served = 0;
  for (auto& client : clients) served += client->receive(50) ? 1 : 0;
  EXPECT_EQ(served, 10);
  other.drain(base::Duration(1));
  other.join();
}

TEST_F(UdpTest, BoundsPacketsOfOneAddress) {
  UdpBackend backend([](const std::string&) { return std::vector<std::string>{}; });
  stream_.packets_per_second_per_address = 50;
  serve({backend.port()});
  UdpClient client(stream_.port);
  for (int i = 0; i < 500; ++i) client.send("x");
  EXPECT_TRUE(eventually([&] { return metric("penstock_stream_dropped_datagrams_total") >= 300; }));
  EXPECT_TRUE(eventually([&] { return backend.received >= 40; }));
  EXPECT_LT(backend.received, 200);
}

TEST_F(UdpTest, AdmitsOnlyWhomItShould) {
  UdpBackend backend;
  stream_.access.denied = {*base::IpNet::parse("127.0.0.1")};
  serve({backend.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("hello", 100), std::nullopt);
  EXPECT_TRUE(wait_for_log("UDP 403 0 0").contains("UDP 403 0 0"));
  EXPECT_EQ(backend.received, 0);
  stream_.access = {{*base::IpNet::parse("127.0.0.0/8")}, {}};
  set_stream();
  adopt();
  EXPECT_EQ(client.ask("hello"), "hello");
  stream_.access = {{*base::IpNet::parse("10.0.0.0/8")}, {}};
  set_stream();
  adopt();
  EXPECT_TRUE(has_active(0)) << "who is no longer admitted has no session any more";
  EXPECT_EQ(client.ask("hello", 100), std::nullopt);
}

TEST_F(UdpTest, ClosesThePortWithItsObject) {
  UdpBackend backend;
  serve({backend.port()});
  UdpClient client(stream_.port);
  EXPECT_EQ(client.ask("hello"), "hello");
  pending_.push_back({{snapshot::PartKind::kUdpStream, stream_.name}, nullptr});
  adopt();
  EXPECT_EQ(client.ask("hello", 200), std::nullopt);
  EXPECT_TRUE(has_active(0));
  serve({backend.port()});
  EXPECT_TRUE(eventually([&] { return client.ask("hello", 200) == "hello"; }));
}

TEST_F(UdpTest, ReportsAPortThatIsTaken) {
  asio::io_context io;
  udp::socket taken(io, local(stream_.port));
  set_upstream("up", {});
  set_stream();
  const auto problems = adopt();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].listener, stream_.name);
  EXPECT_EQ(problems[0].code, asio::error::address_in_use);
}

}  // namespace
}  // namespace penstock::worker::udp_ports
