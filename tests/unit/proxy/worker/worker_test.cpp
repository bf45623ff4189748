#include "proxy/worker/worker.h"

#include <boost/asio/ssl.hpp>

#include "tests/support/certificates.h"
#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {
namespace {

TEST_F(WorkerTest, AChangeOfEndpointsIsLiveForTheNextRequest) {
  Backend first(echo_heads);
  Backend second([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    while (!read_head(socket, buffer).empty()) {
      asio::write(socket,
                  asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")));
    }
  });
  set_upstream("up", {first.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  EXPECT_FALSE(client.ask(kGet).ends_with("second"));
  set_upstream("up", {second.port()});
  adopt();
  EXPECT_TRUE(client.ask(kGet).ends_with("second"));
  remove(snapshot::PartKind::kHost, "a.example");
  adopt();
  EXPECT_TRUE(client.ask(kGet).starts_with("HTTP/1.1 404 "));
}

TEST_F(WorkerTest, ATakenPortIsReportedAndHarmsNothingElse) {
  asio::io_context io;
  asio::ip::tcp::acceptor taken(io, {asio::ip::make_address("127.0.0.1"), 0}, false);
  snapshot::Stream stream;
  stream.name = "tcp/taken";
  stream.address = "127.0.0.1";
  stream.port = taken.local_endpoint().port();
  set(snapshot::PartKind::kStream, stream.name, stream);
  const auto problems = adopt();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].listener, "tcp/taken");
  EXPECT_EQ(problems[0].code, asio::error::address_in_use);
  Client client(http_port_);
  EXPECT_TRUE(client.ask(kGet).starts_with("HTTP/1.1 404 "));
}

TEST_F(WorkerTest, SettingsMayChangeDuringATlsHandshake) {
  const auto pair = test::make_certificate({"a.example"});
  const auto https_port = free_port();
  global_.listeners.push_back({"127.0.0.1", https_port, true});
  set(snapshot::PartKind::kGlobal, "", global_);
  set(snapshot::PartKind::kCertificate, "web/tls",
      snapshot::Certificate{"web/tls", pair.chain, pair.key});
  set_upstream("up", {free_port()});
  snapshot::Route route;
  route.path = "/";
  route.ingress = "web";
  route.upstream = "up";
  set(snapshot::PartKind::kHost, "a.example", snapshot::Host{"a.example", "web/tls", {route}});
  adopt();
  asio::io_context io;
  asio::ssl::context context(asio::ssl::context::tls_client);
  asio::ssl::stream<asio::ip::tcp::socket> client(io, context);
  SSL_set_tlsext_host_name(client.native_handle(), "a.example");
  client.next_layer().connect({asio::ip::make_address("127.0.0.1"), https_port});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!metrics_.text(0, 0).contains("state=\"reading\"} 1")) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the worker has not begun the handshake";
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  global_.tls.session_timeout *= 2;
  set(snapshot::PartKind::kGlobal, "", global_);
  adopt();
  base::error_code code;
  client.handshake(asio::ssl::stream_base::client, code);
  EXPECT_FALSE(code) << code.message();
}

TEST_F(WorkerTest, HttpOnThePortOfTlsIsAnsweredInTheClear) {
  const auto https_port = free_port();
  log_.set_path(log_path_);
  global_.listeners.push_back({"127.0.0.1", https_port, true});
  set(snapshot::PartKind::kGlobal, "", global_);
  adopt();
  for (const std::string begin : {"GET", "POST", "HEAD"}) {
    Client client(https_port);
    client.send(begin + " / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    EXPECT_TRUE(client.receive_all().starts_with("HTTP/1.1 400 ")) << begin;
  }
  Client other(https_port);
  other.send("HELO a.example\r\n\r\n");
  EXPECT_FALSE(other.receive_all().contains("HTTP")) << "no answer that it could read";
  EXPECT_TRUE(wait_for_log(" 400 ").contains("127.0.0.1 - - [")) << "and is logged";
}

TEST_F(WorkerTest, TlsOnThePortOfHttpIsRefusedAtOnce) {
  adopt();
  Client client(http_port_);
  client.send(std::string("\x16\x03\x01\x02\x00\x01\n\x03\x03", 9));
  EXPECT_TRUE(client.receive_all().starts_with("HTTP/1.1 400 "));
}

TEST_F(WorkerTest, ADrainAnswersWhatComesOnAnIdleConnection) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client busy(http_port_);
  Client idle(http_port_);
  EXPECT_TRUE(busy.ask(kGet).contains("HTTP/1.1 200 "));
  EXPECT_TRUE(idle.ask(kGet).contains("HTTP/1.1 200 "));
  worker_.drain(base::Duration(60'000));
  const auto answer = busy.ask(kGet);
  EXPECT_TRUE(answer.contains("HTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(answer.contains("\r\nConnection: close\r\n")) << answer;
  EXPECT_EQ(idle.receive_all(), "") << "closed without a word";
  worker_.join();
}

TEST_F(WorkerTest, LogsAndCountsRequests) {
  Backend backend(echo_heads);
  log_.set_path(log_path_);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  client.ask("GET /p?q HTTP/1.1\r\nHost: a.example\r\nUser-Agent: me\r\n\r\n");
  client.ask("GET /x HTTP/1.1\r\nHost: none\r\n\r\n");
  client.send("BAD\r\n\r\n");
  client.receive_all();
  const auto log = wait_for_log(" 400 ");
  EXPECT_TRUE(log.contains("127.0.0.1 - - [")) << log;
  EXPECT_TRUE(log.contains("\"GET /p?q HTTP/1.1\" 200 ")) << log;
  EXPECT_TRUE(log.contains("\"me\"")) << log;
  EXPECT_TRUE(log.contains("127.0.0.1:" + std::to_string(backend.port()))) << log;
  EXPECT_TRUE(log.contains("GET /x ")) << log;
  const auto text = metrics_.text(0, 0);
  EXPECT_TRUE(text.contains("nginx_process_requests_total 3")) << text;
  EXPECT_TRUE(text.contains("method=\"GET\",status=\"200\",canary=\"\"} 1")) << text;
  EXPECT_TRUE(text.contains("penstock_upstream_connections_total{upstream=\"up\",kind=\"new\"} 1"))
      << text;
  std::filesystem::remove(log_path_);
}

TEST_F(WorkerTest, CountsWhatClientsAreDoing) {
  std::promise<void> release;
  auto released = release.get_future().share();
  Backend backend([released](asio::ip::tcp::socket& socket) {
    std::string buffer;
    read_head(socket, buffer);
    released.wait();
    boost::system::error_code code;
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
                code);
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client waiting(http_port_);
  waiting.ask("GET / HTTP/1.1\r\nHost: none\r\n\r\n");
  Client reading(http_port_);
  reading.send("GET / HT");
  Client writing(http_port_);
  writing.send(kGet);
  const auto become = [&](const std::string& state, int count) {
    const auto sample =
        "process_connections{state=\"" + state + "\"} " + std::to_string(count) + "\n";
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!metrics_.text(0, 0).contains(sample) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_TRUE(metrics_.text(0, 0).contains(sample)) << metrics_.text(0, 0);
  };
  become("writing", 1);
  become("waiting", 1);
  become("active", 3);
  become("reading", 1);
  EXPECT_TRUE(metrics_.text(0, 0).contains("penstock_upstream_active{upstream=\"up\"} 1\n"));
  release.set_value();
  writing.receive();
  become("writing", 0);
  become("waiting", 2);
  EXPECT_TRUE(metrics_.text(0, 0).contains("penstock_upstream_active{upstream=\"up\"} 0\n"));
}

}  // namespace
}  // namespace penstock::worker
