#include "proxy/worker/worker.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "proxy/base/ip_net.h"
#include "proxy/net/proxy_protocol.h"

namespace penstock::worker {
namespace {

using base::TcpEndpoint;

std::uint16_t free_port() {
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  return acceptor.local_endpoint().port();
}

/// A real server with one thread a connection: answers each request by what `answer` makes of its
/// head and body.
class Backend {
 public:
  using Serve = std::function<void(asio::ip::tcp::socket&)>;

  explicit Backend(Serve serve) : serve_(std::move(serve)) {
    thread_ = std::thread([this] {
      for (;;) {
        auto socket = std::make_shared<asio::ip::tcp::socket>(io_);
        boost::system::error_code code;
        acceptor_.accept(*socket, code);
        if (code || is_stopped_) return;
        ++accepted;
        sockets_.push_back(socket);
        threads_.emplace_back([this, socket] {
          serve_(*socket);
          ::shutdown(socket->native_handle(), SHUT_RDWR);
        });
      }
    });
  }
  ~Backend() {
    is_stopped_ = true;
    asio::io_context io;
    asio::ip::tcp::socket wake(io);
    boost::system::error_code ignored;
    wake.connect({asio::ip::make_address("127.0.0.1"), port()}, ignored);
    thread_.join();
    for (auto& socket : sockets_) ::shutdown(socket->native_handle(), SHUT_RDWR);
    for (auto& thread : threads_) thread.join();
  }
  std::uint16_t port() const { return port_; }
  std::atomic<int> accepted = 0;

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
  std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::atomic<bool> is_stopped_ = false;
  Serve serve_;
  std::vector<std::shared_ptr<asio::ip::tcp::socket>> sockets_;
  std::vector<std::thread> threads_;
  std::thread thread_;
};

/// Reads one head; its text, or empty at the end.
std::string read_head(asio::ip::tcp::socket& socket, std::string& buffer) {
  boost::system::error_code code;
  const auto size = asio::read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", code);
  if (code) return {};
  auto head = buffer.substr(0, size);
  buffer.erase(0, size);
  return head;
}

/// Answers every request with its own head as the body.
void echo_heads(asio::ip::tcp::socket& socket) {
  std::string buffer;
  for (;;) {
    const auto head = read_head(socket, buffer);
    if (head.empty()) return;
    const auto answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(head.size()) +
                        "\r\nServer: theirs\r\n\r\n" + head;
    boost::system::error_code code;
    asio::write(socket, asio::buffer(answer), code);
    if (code) return;
  }
}

class Client {
 public:
  explicit Client(std::uint16_t port) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
  }
  void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  void end() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }

  /// One whole answer with Content-Length, head and body.
  std::string receive() {
    auto head = read_head(socket_, buffer_);
    const auto at = head.find("Content-Length: ");
    const auto size = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    boost::system::error_code code;
    if (buffer_.size() < size) {
      asio::read(socket_, asio::dynamic_buffer(buffer_),
                 asio::transfer_exactly(size - buffer_.size()), code);
    }
    head += buffer_.substr(0, size);
    buffer_.erase(0, size);
    return head;
  }
  std::string receive_line() {
    const auto size = asio::read_until(socket_, asio::dynamic_buffer(buffer_), "\n");
    auto line = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return line;
  }
  std::string receive_all() {
    boost::system::error_code code;
    asio::read(socket_, asio::dynamic_buffer(buffer_), code);
    return std::exchange(buffer_, {});
  }
  std::string ask(std::string_view request) {
    send(request);
    return receive();
  }

 private:
  asio::io_context io_;
  asio::ip::tcp::socket socket_{io_};
  std::string buffer_;
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    global_.listeners = {{"127.0.0.1", http_port_, false}};
    set(snapshot::PartKind::kGlobal, "", global_);
    worker_.start();
  }
  ~WorkerTest() override {
    worker_.drain(base::Duration(1));
    worker_.join();
  }

  void set(snapshot::PartKind kind, const std::string& name, snapshot::Part part) {
    pending_.push_back({{kind, name}, std::make_shared<const snapshot::Part>(std::move(part))});
  }
  void remove(snapshot::PartKind kind, const std::string& name) {
    pending_.push_back({{kind, name}, nullptr});
  }
  void set_upstream(const std::string& name, std::vector<std::uint16_t> ports) {
    snapshot::Upstream upstream;
    upstream.name = name;
    snapshot::Endpoints endpoints{name, {}};
    for (const auto port : ports) endpoints.endpoints.push_back({"127.0.0.1", port, 1});
    set(snapshot::PartKind::kUpstream, name, upstream);
    set(snapshot::PartKind::kEndpoints, name, endpoints);
  }
  void set_host(const std::string& name, const std::string& upstream,
                const snapshot::RoutePolicy& policy = {}) {
    snapshot::Route route;
    route.path = "/";
    route.ingress = "web";
    route.upstream = upstream;
    route.policy = policy;
    set(snapshot::PartKind::kHost, name, snapshot::Host{name, "", {route}});
  }

  std::vector<ListenProblem> adopt() {
    ++version_;
    auto compiled = compiler_.compile({version_ - 1, version_, std::exchange(pending_, {})});
    EXPECT_TRUE(compiled);
    std::promise<std::vector<ListenProblem>> served;
    worker_.adopt(compiled->table, compiled->change, [&](std::vector<ListenProblem> problems) {
      served.set_value(std::move(problems));
    });
    return served.get_future().get();
  }

  /// The text of the access log once it holds `expected`.
  std::string wait_for_log(std::string_view expected) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      std::ifstream in(log_path_);
      std::string text((std::istreambuf_iterator<char>(in)), {});
      if (text.contains(expected) || std::chrono::steady_clock::now() > end) return text;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  snapshot::Global global_;
  std::string log_path_ =
      std::filesystem::temp_directory_path() / ("worker_test." + std::to_string(getpid()) + ".log");
  std::uint16_t http_port_ = free_port();
  routing::Compiler compiler_;
  std::uint64_t version_ = 0;
  decltype(snapshot::Update::parts) pending_;
  telemetry::Metrics metrics_;
  telemetry::LogWriter log_;
  Worker worker_{Telemetry{&metrics_.worker(0), &log_}};
};

constexpr std::string_view kGet = "GET /p?q HTTP/1.1\r\nHost: a.example\r\n\r\n";

TEST_F(WorkerTest, ServesARequestThroughAnUpstream) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  EXPECT_TRUE(adopt().empty());
  Client client(http_port_);
  const auto answer = client.ask(
      "GET /p%20x?q HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6\r\nX-Mine: 1\r\n"
      "Connection: X-Drop\r\nX-Drop: 1\r\nX_under: 1\r\nProxy: evil\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.contains("Server: penstock\r\n")) << answer;
  EXPECT_FALSE(answer.contains("theirs")) << answer;
  EXPECT_TRUE(answer.contains("GET /p%20x?q HTTP/1.1\r\nHost: a.example\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Original-Forwarded-For: 6.6.6.6\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Forwarded-Proto: http\r\n")) << answer;
  EXPECT_TRUE(answer.contains("X-Mine: 1\r\n")) << answer;
  for (const auto* gone : {"X-Drop", "X_under", "Proxy:"}) {
    EXPECT_FALSE(answer.contains(gone)) << answer;
  }
}

TEST_F(WorkerTest, KeepsConnectionsOnBothSides) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK"));
  EXPECT_EQ(backend.accepted, 1);
}

TEST_F(WorkerTest, AnswersPipelinedRequestsInOrder) {
  Backend backend(echo_heads);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  client.send(
      "GET /1 HTTP/1.1\r\nHost: a.example\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_TRUE(client.receive().contains("GET /1 "));
  EXPECT_TRUE(client.receive().contains("GET /2 "));
}

TEST_F(WorkerTest, AnswersErrorsItself) {
  set_upstream("empty", {});
  set_host("empty.example", "empty");
  set_upstream("dead", {free_port()});
  set_host("dead.example", "dead");
  adopt();
  Client client(http_port_);
  EXPECT_TRUE(client.ask("GET / HTTP/1.1\r\nHost: none\r\n\r\n").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(
      client.ask("GET / HTTP/1.1\r\nHost: empty.example\r\n\r\n").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(
      client.ask("GET / HTTP/1.1\r\nHost: dead.example\r\n\r\n").starts_with("HTTP/1.1 502 "));
  client.send("GET / HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\n");
  const auto bad = client.receive_all();
  EXPECT_TRUE(bad.starts_with("HTTP/1.1 400 ")) << bad;
  EXPECT_TRUE(bad.contains("Connection: close\r\n")) << bad;
}

TEST_F(WorkerTest, TriesTheNextEndpoint) {
  Backend backend(echo_heads);
  set_upstream("up", {free_port(), backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK"));
}

TEST_F(WorkerTest, ReplacesAKeptConnectionThatDied) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    // Answers once, then closes without saying so.
    std::string buffer;
    if (read_head(socket, buffer).empty()) return;
    asio::write(socket,
                asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.ask(kGet).contains(" 200 OK")) << i;
}

/// Reads a whole request with its body and answers with what it saw.
void echo_bodies(asio::ip::tcp::socket& socket) {
  std::string buffer;
  for (;;) {
    const auto head = read_head(socket, buffer);
    if (head.empty()) return;
    std::string body;
    boost::system::error_code code;
    const auto at = head.find("Content-Length: ");
    if (at != std::string::npos) {
      const auto size = std::stoul(head.substr(at + 16));
      while (buffer.size() < size && !code) {
        asio::read(socket, asio::dynamic_buffer(buffer), asio::transfer_at_least(1), code);
      }
      body = buffer.substr(0, size);
      buffer.erase(0, size);
    } else if (head.contains("Transfer-Encoding: chunked")) {
      asio::read_until(socket, asio::dynamic_buffer(buffer), "\r\n0\r\n\r\n", code);
      body = std::exchange(buffer, {});
    }
    const auto answer =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    asio::write(socket, asio::buffer(answer), code);
    if (code) return;
  }
}

TEST_F(WorkerTest, CarriesBodiesSmallAndLarge) {
  Backend backend(echo_bodies);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  for (const std::size_t size : {1U, 100U, 8192U, 8193U, 700'000U}) {
    std::string body(size, 'b');
    body[0] = '<';
    body[size - 1] = '>';
    Client client(http_port_);
    const auto answer =
        client.ask("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(size) +
                   "\r\n\r\n" + body);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body)) << size;
  }
}

TEST_F(WorkerTest, ReadsAChunkedBodyAndSendsItWithItsLength) {
  Backend backend(echo_bodies);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.ask(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    EXPECT_TRUE(answer.ends_with("\r\n\r\nhello!")) << answer;
  }
}

TEST_F(WorkerTest, RefusesABodyThatGrowsBeyondTheLimit) {
  Backend backend(echo_bodies);
  snapshot::RoutePolicy policy;
  policy.body.max_size = {20'000};
  set_upstream("up", {backend.port()});
  set_host("a.example", "up", policy);
  adopt();
  Client announced(http_port_);
  EXPECT_TRUE(announced
                  .ask("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20001\r\n"
                       "Expect: 100-continue\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  Client chunked(http_port_);
  chunked.send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.send("7530\r\n" + std::string(30'000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.receive().starts_with("HTTP/1.1 413 "));
}

TEST_F(WorkerTest, AnswersExpectContinue) {
  Backend backend(echo_bodies);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n"
                       "Expect: 100-continue\r\n\r\n"),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.ask("ok").ends_with("\r\n\r\nok"));
}

TEST_F(WorkerTest, TunnelsAWebSocketBothWays) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    const auto head = read_head(socket, buffer);
    if (!head.contains("Upgrade: websocket")) return;
    asio::write(socket, asio::buffer(std::string(
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhi")));
    std::array<char, 4> data;
    boost::system::error_code code;
    asio::read(socket, asio::buffer(data), code);
    asio::write(socket, asio::buffer(data), code);
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  const auto head = client.ask(
      "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 ")) << head;
  client.send("ping");
  EXPECT_EQ(client.receive_all(), "hiping");
}

TEST_F(WorkerTest, ATruncatedAnswerIsNeverTakenForComplete) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    if (read_head(socket, buffer).empty()) return;
    asio::write(socket,
                asio::buffer(std::string(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")));
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  client.send(kGet);
  EXPECT_FALSE(client.receive_all().contains("0\r\n\r\n"));
}

TEST_F(WorkerTest, RefusesABrokenAnswer) {
  Backend backend([](asio::ip::tcp::socket& socket) {
    std::string buffer;
    if (read_head(socket, buffer).empty()) return;
    asio::write(socket,
                asio::buffer(std::string(
                    "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n")));
  });
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  Client client(http_port_);
  const auto answer = client.ask(kGet);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_FALSE(answer.contains("evil"));
}

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
  EXPECT_TRUE(text.contains("penstock_upstream_connections_total{upstream=\"up\",kind=\"new\"} 1")) << text;
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

TEST_F(WorkerTest, BelievesAProxyHeaderWhereItIsToldTo) {
  Backend backend(echo_heads);
  global_.forwarded.uses_proxy_protocol = true;
  set(snapshot::PartKind::kGlobal, "", global_);
  set_upstream("up", {backend.port()});
  set_host("a.example", "up");
  adopt();
  const net::ProxyAddresses addresses{{asio::ip::make_address("192.0.2.9"), 7},
                                      {asio::ip::make_address("198.51.100.1"), 443}};
  for (const auto& header : {net::encode_proxy_v1(addresses), net::encode_proxy_v2(addresses)}) {
    Client client(http_port_);
    client.send(header.substr(0, 9));
    client.send(header.substr(9));
    const auto answer = client.ask(kGet);
    EXPECT_TRUE(answer.contains("X-Real-IP: 192.0.2.9\r\n")) << answer;
    EXPECT_TRUE(answer.contains("X-Forwarded-Proto: https\r\n")) << answer;
  }
  Client without(http_port_);
  without.send(kGet);
  EXPECT_EQ(without.receive_all(), "");
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
  const auto text = metrics_.text(0, 0);
  EXPECT_TRUE(text.contains("penstock_stream_sessions_total{stream=\"" + stream.name + "\"} 3"))
      << text;
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
