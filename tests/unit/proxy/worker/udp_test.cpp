// UDP ports on a real worker, with real sockets on both sides.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "proxy/net/proxy_protocol.h"
#include "proxy/worker/worker.h"

namespace penstock::worker {
namespace {

using asio::ip::udp;
using snapshot::UdpStream;

udp::endpoint local(std::uint16_t port, const char* address = "127.0.0.1") {
  return {asio::ip::make_address(address), port};
}

std::uint16_t free_port() {
  asio::io_context io;
  return udp::socket(io, local(0)).local_endpoint().port();
}

bool is_readable(udp::socket& socket, int milliseconds) {
  pollfd poll{socket.native_handle(), POLLIN, 0};
  return ::poll(&poll, 1, milliseconds) == 1;
}

/// A server with one thread: answers each datagram by what `answer` makes of it, which may be none
/// or several.
class Backend {
 public:
  using Answer = std::function<std::vector<std::string>(const std::string&)>;
  explicit Backend(Answer answer = [](const std::string& text) {
    return std::vector<std::string>{text};
  }) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      std::vector<char> buffer(70'000);
      while (!is_stopped_) {
        if (!is_readable(socket_, 20)) continue;
        udp::endpoint from;
        boost::system::error_code code;
        const auto size = socket_.receive_from(asio::buffer(buffer), from, 0, code);
        if (code) continue;
        ++received;
        {
          const std::lock_guard lock(mutex_);
          sources_.insert(from.port());
          last_ = std::string(buffer.data(), size);
        }
        for (const auto& each : answer(std::string(buffer.data(), size))) {
          socket_.send_to(asio::buffer(each), from, 0, code);
        }
      }
    });
  }
  ~Backend() {
    is_stopped_ = true;
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  std::size_t sources() {
    const std::lock_guard lock(mutex_);
    return sources_.size();
  }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::atomic<int> received = 0;

 private:
  asio::io_context io_;
  udp::socket socket_{io_, local(0)};
  std::uint16_t port_ = socket_.local_endpoint().port();
  std::atomic<bool> is_stopped_ = false;
  std::mutex mutex_;
  std::set<std::uint16_t> sources_;
  std::string last_;
  std::thread thread_;
};

class Client {
 public:
  explicit Client(std::uint16_t port, const char* address = "127.0.0.1")
      : Client(udp::endpoint(asio::ip::make_address(address), port)) {}
  explicit Client(const udp::endpoint& to) : socket_(io_, to.protocol()) { socket_.connect(to); }

  void send(std::string_view text) { socket_.send(asio::buffer(text)); }
  /// Nothing where nothing comes. A connected socket takes datagrams from its peer only.
  std::optional<std::string> receive(int milliseconds = 5000) {
    if (!is_readable(socket_, milliseconds)) return std::nullopt;
    std::string buffer(70'000, '\0');
    boost::system::error_code code;
    buffer.resize(socket_.receive(asio::buffer(buffer), 0, code));
    if (code) return std::nullopt;
    return buffer;
  }
  std::optional<std::string> ask(std::string_view text, int milliseconds = 5000) {
    send(text);
    return receive(milliseconds);
  }
  std::uint16_t port() const { return socket_.local_endpoint().port(); }

 private:
  asio::io_context io_;
  udp::socket socket_;
};

class UdpTest : public testing::Test {
 protected:
  UdpTest() {
    log_.set_path(log_path_);
    set(snapshot::PartKind::kGlobal, "", snapshot::Global{});
    stream_.port = free_port();
    stream_.name = "udp/" + std::to_string(stream_.port);
    stream_.log_name = "udp-n-s-1";
    stream_.name_space = "n";
    stream_.object = "s";
    stream_.address = "127.0.0.1";
    stream_.backends = {{"up", 1, snapshot::ProxyProtocolOut::kNone}};
    worker_.start();
  }
  ~UdpTest() override {
    worker_.drain(base::Duration(1));
    worker_.join();
    std::filesystem::remove(log_path_);
  }

  void set(snapshot::PartKind kind, const std::string& name, snapshot::Part part) {
    pending_.push_back({{kind, name}, std::make_shared<const snapshot::Part>(std::move(part))});
  }
  void set_upstream(const std::string& name, const std::vector<std::uint16_t>& ports,
                    snapshot::Algorithm algorithm = snapshot::Algorithm::kRoundRobin) {
    snapshot::Upstream upstream;
    upstream.name = name;
    upstream.balancing.algorithm = algorithm;
    upstream.passive_health = {1, base::Duration(60'000)};
    snapshot::Endpoints endpoints{name, {}};
    for (const auto port : ports) endpoints.endpoints.push_back({"127.0.0.1", port, 1});
    set(snapshot::PartKind::kUpstream, name, upstream);
    set(snapshot::PartKind::kEndpoints, name, endpoints);
  }
  void set_stream() { set(snapshot::PartKind::kUdpStream, stream_.name, stream_); }

  std::vector<ListenProblem> adopt(Worker& worker) {
    std::promise<std::vector<ListenProblem>> served;
    worker.adopt(compiled_.table, compiled_.change, [&](std::vector<ListenProblem> problems) {
      served.set_value(std::move(problems));
    });
    return served.get_future().get();
  }
  std::vector<ListenProblem> adopt() {
    ++version_;
    compiled_ = *compiler_.compile({version_ - 1, version_, std::exchange(pending_, {})});
    return adopt(worker_);
  }
  void serve(const std::vector<std::uint16_t>& ports) {
    set_upstream("up", ports);
    set_stream();
    EXPECT_TRUE(adopt().empty());
  }

  double metric(const std::string& name) {
    return sum_of(name + "{stream=\"" + stream_.name + "\",");
  }
  double ended(const std::string& reason) {
    return sum_of("penstock_stream_sessions_total{stream=\"" + stream_.name +
                  R"(",namespace="n",name="s",reason=")" + reason + "\"} ");
  }
  double begun() {
    return metric("penstock_stream_sessions_total") + metric("penstock_stream_sessions_active");
  }
  /// Of all lines that begin so.
  double sum_of(const std::string& begin) {
    std::istringstream text(metrics_.text(0, 0));
    double sum = 0;
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with(begin)) sum += std::stod(line.substr(line.rfind(' ')));
    }
    return sum;
  }
  template <class Condition>
  bool eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  bool has_active(int number) {
    return eventually([&] { return metric("penstock_stream_sessions_active") == number; });
  }
  std::string wait_for_log(std::string_view expected) {
    std::string text;
    eventually([&] {
      std::ifstream in(log_path_);
      text.assign((std::istreambuf_iterator<char>(in)), {});
      return text.contains(expected);
    });
    return text;
  }

  std::string log_path_ =
      std::filesystem::temp_directory_path() / ("udp_test." + std::to_string(getpid()) + ".log");
  UdpStream stream_;
  routing::Compiler compiler_;
  routing::Compiled compiled_;
  std::uint64_t version_ = 0;
  decltype(snapshot::Update::parts) pending_;
  telemetry::Metrics metrics_;
  telemetry::LogWriter log_;
  std::shared_ptr<base::LimitTable> limits_ = std::make_shared<base::LimitTable>();
  Worker worker_{Telemetry{&metrics_.worker(0), &log_, limits_}};
};

TEST_F(UdpTest, CarriesDatagramsBothWays) {
  Backend backend;
  stream_.max_responses = 1;
  serve({backend.port()});
  Client client(stream_.port);
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
  Backend backend([](const std::string& text) { return std::vector{"1" + text, "2" + text}; });
  serve({backend.port()});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(std::make_unique<Client>(stream_.port));
  constexpr std::size_t kAtOnce = 50;  // more than the backend's socket holds would be lost
  for (std::size_t begin = 0; begin < 3 * clients.size(); begin += kAtOnce) {
    const auto visit = [&](auto call) {
      for (auto i = begin; i < begin + kAtOnce; ++i) {
        call(*clients[i % clients.size()], std::to_string(i % clients.size()));
      }
    };
    visit([](Client& client, const std::string& text) { client.send(text); });
    visit([](Client& client, const std::string& text) {
      EXPECT_EQ(client.receive(), "1" + text);
      EXPECT_EQ(client.receive(), "2" + text);
    });
  }
  EXPECT_EQ(backend.sources(), 300U) << "a session keeps its socket";
  EXPECT_EQ(begun(), 300);
  EXPECT_EQ(metric("penstock_stream_sessions_active"), 300);
}

TEST_F(UdpTest, SessionsOutliveChangesOfEverythingAround) {
  Backend backend;
  Backend other;
  serve({backend.port()});
  Client client(stream_.port);
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
  Backend first([](const std::string&) { return std::vector<std::string>{"first"}; });
  Backend second([](const std::string&) { return std::vector<std::string>{"second"}; });
  serve({first.port()});
  Client client(stream_.port);
  EXPECT_EQ(client.ask("?"), "first");
  serve({second.port()});
  EXPECT_EQ(client.ask("?"), "second");
  serve({});
  EXPECT_EQ(client.ask("?"), "second") << "better the one that is leaving than none";
  Client newcomer(stream_.port);
  EXPECT_EQ(newcomer.ask("?", 100), std::nullopt);
  EXPECT_TRUE(wait_for_log("UDP 502 0 ").contains("UDP 502 0 "));
}

TEST_F(UdpTest, AsksAnotherEndpointWhereOneIsNotThere) {
  Backend backend;
  serve({free_port(), free_port(), backend.port()});
  for (int i = 0; i < 6; ++i) {
    Client client(stream_.port);
    EXPECT_EQ(client.ask("hello"), "hello") << i;
  }
  EXPECT_EQ(backend.received, 6);
  EXPECT_TRUE(metrics_.text(0, 0).contains(
      "penstock_upstream_failures_total{upstream=\"up\",reason=\"connect_refused\"} 2"))
      << "an ICMP message counts as a failure, and one failure is enough here";
}

TEST_F(UdpTest, EndsASessionWhoseEndpointsAreAllDead) {
  serve({free_port()});
  Client client(stream_.port);
  EXPECT_EQ(client.ask("hello", 200), std::nullopt);
  EXPECT_TRUE(has_active(0));
  EXPECT_EQ(ended("connect_refused"), 1);
  EXPECT_TRUE(wait_for_log("UDP 502 0 5").contains("UDP 502 0 5"));
}

TEST_F(UdpTest, BeginsAnotherSessionAfterSoManyRequests) {
  Backend backend;
  stream_.max_requests = 2;
  stream_.max_responses = 1;
  serve({backend.port()});
  Client client(stream_.port);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(client.ask("x"), "x");
  EXPECT_EQ(backend.sources(), 3U);
  EXPECT_TRUE(has_active(0));
  EXPECT_EQ(ended("answered"), 3);
}

TEST_F(UdpTest, WaitsForNoAnswerWhereNoneIsExpected) {
  Backend backend([](const std::string&) { return std::vector<std::string>{}; });
  stream_.max_responses = 0;
  serve({backend.port()});
  Client client(stream_.port);
  for (int i = 0; i < 100; ++i) client.send("<13>message");
  EXPECT_TRUE(eventually([&] { return backend.received == 100; }));
  EXPECT_TRUE(has_active(0));
}

TEST_F(UdpTest, EndsIdleSessions) {
  Backend backend;
  stream_.idle_timeout = base::Duration(50);
  serve({backend.port()});
  Client client(stream_.port);
  EXPECT_EQ(client.ask("hello"), "hello");
  EXPECT_TRUE(has_active(0));
  EXPECT_TRUE(wait_for_log("UDP 200 5 5").contains("UDP 200 5 5"));
  EXPECT_EQ(client.ask("again"), "again");
  EXPECT_EQ(backend.sources(), 2U);
}

TEST_F(UdpTest, BoundsSessions) {
  Backend backend;
  stream_.max_sessions = 2;
  serve({backend.port()});
  Client first(stream_.port);
  Client second(stream_.port);
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(second.ask("b"), "b");
  Client third(stream_.port);
  EXPECT_EQ(third.ask("c", 100), std::nullopt);
  EXPECT_TRUE(wait_for_log("UDP 503").contains("UDP 503"));
  // The second client never spoke again after its answer; after a while it makes room.
  EXPECT_TRUE(eventually([&] { return third.ask("c", 100) == "c"; }));
  const auto sources = backend.sources();
  EXPECT_EQ(first.ask("a"), "a");
  EXPECT_EQ(backend.sources(), sources) << "one that did keeps its session";
}

TEST_F(UdpTest, BoundsSessionsOfOneAddress) {
  Backend backend;
  stream_.max_sessions_per_address = 2;
  serve({backend.port()});
  Client first(stream_.port);
  Client second(stream_.port);
  Client third(stream_.port);
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
  Backend backend;
  stream_.max_sessions = 10;
  serve({backend.port()});
  Worker other(Telemetry{&metrics_.worker(1), &log_, limits_});
  other.start();
  EXPECT_TRUE(adopt(other).empty());
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<Client>(stream_.port));
    clients.back()->send("x");
  }
  int served = 0;
  for (auto& client : clients) served += client->receive(50) ? 1 : 0;
  EXPECT_EQ(served, 10);
  other.drain(base::Duration(1));
  other.join();
}

TEST_F(UdpTest, BoundsPacketsOfOneAddress) {
  Backend backend([](const std::string&) { return std::vector<std::string>{}; });
  stream_.packets_per_second_per_address = 50;
  serve({backend.port()});
  Client client(stream_.port);
  for (int i = 0; i < 500; ++i) client.send("x");
  EXPECT_TRUE(eventually([&] { return metric("penstock_stream_dropped_datagrams_total") >= 300; }));
  EXPECT_TRUE(eventually([&] { return backend.received >= 40; }));
  EXPECT_LT(backend.received, 200);
}

TEST_F(UdpTest, AdmitsOnlyWhomItShould) {
  Backend backend;
  stream_.access.denied = {*base::IpNet::parse("127.0.0.1")};
  serve({backend.port()});
  Client client(stream_.port);
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

TEST_F(UdpTest, SendsAProxyHeaderBeforeEveryDatagram) {
  Backend backend([](const std::string& text) {
    const auto header = net::parse_proxy_header(text);
    return std::vector<std::string>{
        header.state == net::ProxyHeader::State::kDone ? text.substr(header.size) : "no header"};
  });
  stream_.backends[0].proxy_protocol = snapshot::ProxyProtocolOut::kV2;
  serve({backend.port()});
  Client client(stream_.port);
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
  Backend backend;
  stream_.address = "";
  serve({backend.port()});
  for (const auto* address : {"127.0.0.1", "127.0.0.2", "127.1.2.3"}) {
    Client client(stream_.port, address);
    EXPECT_EQ(client.ask("hello"), "hello") << address;
  }
  asio::io_context io;
  boost::system::error_code code;
  udp::socket probe(io);
  probe.open(udp::v6(), code);
  probe.connect(local(stream_.port, "::1"), code);
  if (code) GTEST_SKIP() << "this host has no IPv6";
  Client client(stream_.port, "::1");
  EXPECT_EQ(client.ask("hello"), "hello");
}

TEST_F(UdpTest, HashesTheAddressOrTheAddressAndPort) {
  std::vector<std::unique_ptr<Backend>> backends;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 4; ++i) {
    backends.push_back(std::make_unique<Backend>());
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
  for (int i = 0; i < 40; ++i) EXPECT_EQ(Client(stream_.port).ask("x"), "x");
  EXPECT_EQ(used(), 1);
  stream_.hash_key = snapshot::HashKey::kAddressAndPort;
  set_stream();
  adopt();
  for (int i = 0; i < 40; ++i) EXPECT_EQ(Client(stream_.port).ask("x"), "x");
  EXPECT_GT(used(), 2);
}

TEST_F(UdpTest, PassesOverABackendThatHasNoEndpoint) {
  Backend backend;
  stream_.backends = {{"empty", 1000, snapshot::ProxyProtocolOut::kNone},
                      {"up", 1, snapshot::ProxyProtocolOut::kNone}};
  set_upstream("empty", {});
  serve({backend.port()});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Client(stream_.port).ask("x"), "x");
}

TEST_F(UdpTest, ClosesThePortWithItsObject) {
  Backend backend;
  serve({backend.port()});
  Client client(stream_.port);
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

TEST_F(UdpTest, ADrainEndsWhenNothingIsAwaitedAnyMore) {
  Backend backend;
  serve({backend.port()});
  Client client(stream_.port);
  EXPECT_EQ(client.ask("hello"), "hello");
  const auto began = std::chrono::steady_clock::now();
  worker_.drain(base::Duration(60'000));
  EXPECT_EQ(client.ask("still"), "still");
  worker_.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

}  // namespace
}  // namespace penstock::worker
