// Limits, backups and log lines of TCP ports on a real worker.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "proxy/worker/worker.h"
#include "tests/unit/proxy/worker/free_port.h"

namespace penstock::worker {
namespace {

using asio::ip::tcp;

tcp::endpoint local(std::uint16_t port) { return {asio::ip::make_address("127.0.0.1"), port}; }

std::uint16_t free_port() { return test::free_port<tcp>(); }

/// Greets each connection with its name, then echoes.
class HeldBackend {
 public:
  explicit HeldBackend(std::string name) : name_(std::move(name)) {
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~HeldBackend() {
    io_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  struct Connection {
    explicit Connection(tcp::socket from) : socket(std::move(from)) {}
    tcp::socket socket;
    std::array<char, 4096> buffer;
  };
  void accept() {
    acceptor_.async_accept([this](base::error_code code, tcp::socket socket) {
      if (code) return;
      auto connection = std::make_shared<Connection>(std::move(socket));
      asio::write(connection->socket, asio::buffer(name_), code);
      echo(connection);
      accept();
    });
  }
  void echo(const std::shared_ptr<Connection>& connection) {
    connection->socket.async_read_some(asio::buffer(connection->buffer),
                                       [this, connection](base::error_code code, std::size_t size) {
                                         if (code) return;
                                         asio::write(connection->socket,
                                                     asio::buffer(connection->buffer, size), code);
                                         if (!code) echo(connection);
                                       });
  }

  std::string name_;
  asio::io_context io_;
  tcp::acceptor acceptor_{io_, local(0)};
  std::thread thread_;
};

class LimitedClient {
 public:
  explicit LimitedClient(std::uint16_t port) { socket_.connect(local(port)); }
  /// Nothing where the connection has ended.
  std::optional<std::string> receive() {
    std::array<char, 4096> buffer;
    boost::system::error_code code;
    const auto size = socket_.read_some(asio::buffer(buffer), code);
    if (code) return std::nullopt;
    return std::string(buffer.data(), size);
  }
  void send(std::string_view text) {
    boost::system::error_code ignored;
    asio::write(socket_, asio::buffer(text), ignored);
  }

 private:
  asio::io_context io_;
  tcp::socket socket_{io_};
};

class TcpLimitsTest : public testing::Test {
 protected:
  TcpLimitsTest() {
    log_.set_path(log_path_);
    set(snapshot::PartKind::kGlobal, "", snapshot::Global{});
    stream_.port = free_port();
    stream_.address = "127.0.0.1";
    stream_.name = "tcp/" + std::to_string(stream_.port);
    stream_.log_name = "tcp-n-s-1";
    stream_.rules = {{{}, {}}};
    stream_.rules[0].backends.emplace_back().upstream = "up";
    worker_.start();
  }
  ~TcpLimitsTest() override {
    worker_.drain(base::Duration(1));
    worker_.join();
    std::filesystem::remove(log_path_);
  }

  void set(snapshot::PartKind kind, const std::string& name, snapshot::Part part) {
    pending_.push_back({{kind, name}, std::make_shared<const snapshot::Part>(std::move(part))});
  }
  void set_upstream(const std::string& name, std::uint16_t port, std::uint32_t max_fails = 1) {
    snapshot::Upstream upstream;
    upstream.name = name;
    upstream.passive_health = {max_fails, base::Duration(60'000)};
    set(snapshot::PartKind::kUpstream, name, upstream);
    set(snapshot::PartKind::kEndpoints, name, snapshot::Endpoints{name, {{"127.0.0.1", port, 1}}});
  }
  void serve() {
    set(snapshot::PartKind::kStream, stream_.name, stream_);
    ++version_;
    const auto compiled =
        compiler_.compile({version_ - 1, version_, std::exchange(pending_, {})}).value();
    std::promise<void> served;
    worker_.adopt(compiled.table, compiled.change, [&](const std::vector<ListenProblem>& problems) {
      EXPECT_TRUE(problems.empty());
      served.set_value();
    });
    served.get_future().get();
  }
  std::string log_with(std::string_view expected) {
    std::string text;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    do {
      std::ifstream in(log_path_);
      text.assign((std::istreambuf_iterator<char>(in)), {});
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    } while (!text.contains(expected) && std::chrono::steady_clock::now() < end);
    return text;
  }

  std::string log_path_ =
      std::filesystem::temp_directory_path() / ("tcp_limits." + std::to_string(getpid()) + ".log");
  snapshot::Stream stream_;
  routing::Compiler compiler_;
  std::uint64_t version_ = 0;
  decltype(snapshot::Update::parts) pending_;
  telemetry::Metrics metrics_;
  telemetry::LogWriter log_;
  Worker worker_{Telemetry{&metrics_.worker(0), &log_}};
};

TEST_F(TcpLimitsTest, BoundsConnections) {
  const HeldBackend backend("a");
  set_upstream("up", backend.port());
  stream_.limits.connections = 2;
  serve();
  LimitedClient first(stream_.port);
  {
    LimitedClient second(stream_.port);
    EXPECT_EQ(first.receive(), "a");
    EXPECT_EQ(second.receive(), "a");
    EXPECT_EQ(LimitedClient(stream_.port).receive(), std::nullopt);
    EXPECT_TRUE(log_with("TCP 503 0 0").contains("TCP 503 0 0"));
  }
  log_with("TCP 200");
  EXPECT_EQ(LimitedClient(stream_.port).receive(), "a") << "one that has gone makes room";
}

TEST_F(TcpLimitsTest, BoundsConnectionsOfOneAddress) {
  const HeldBackend backend("a");
  set_upstream("up", backend.port());
  stream_.limits.connections_per_address = 1;
  serve();
  LimitedClient first(stream_.port);
  EXPECT_EQ(first.receive(), "a");
  EXPECT_EQ(LimitedClient(stream_.port).receive(), std::nullopt);
  first.send("still");
  EXPECT_EQ(first.receive(), "still");
}

TEST_F(TcpLimitsTest, BoundsNewConnections) {
  const HeldBackend backend("a");
  set_upstream("up", backend.port());
  const auto served = [&] {
    int count = 0;
    for (int i = 0; i < 20; ++i) count += LimitedClient(stream_.port).receive() ? 1 : 0;
    return count;
  };
  stream_.limits.new_per_second = 5;
  serve();
  const auto of_all = served();
  EXPECT_GE(of_all, 5);
  EXPECT_LT(of_all, 20);
  stream_.limits = {};
  stream_.limits.new_per_second_per_address = 5;
  serve();
  const auto of_one = served();
  EXPECT_GE(of_one, 5);
  EXPECT_LT(of_one, 20);
}

TEST_F(TcpLimitsTest, AsksABackupWhereNothingElseIsUp) {
  const HeldBackend spare("spare");
  set_upstream("up", free_port(), 0);  // never marked as down
  set_upstream("spare", spare.port());
  auto& backup = stream_.rules[0].backends.emplace_back();
  backup.upstream = "spare";
  backup.is_backup = true;
  backup.weight = 1000;
  serve();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(LimitedClient(stream_.port).receive(), "spare");
  const HeldBackend backend("first");
  set_upstream("up", backend.port(), 0);
  serve();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(LimitedClient(stream_.port).receive(), "first");
}

TEST_F(TcpLimitsTest, LeavesOutABackendThatIsFull) {
  const HeldBackend small("small");
  const HeldBackend large("large");
  set_upstream("up", small.port());
  set_upstream("large", large.port());
  stream_.rules[0].backends[0].max_sessions = 1;
  stream_.rules[0].backends[0].weight = 1'000'000;
  stream_.rules[0].backends.emplace_back().upstream = "large";
  serve();
  LimitedClient first(stream_.port);
  EXPECT_EQ(first.receive(), "small");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(LimitedClient(stream_.port).receive(), "large");
}

TEST_F(TcpLimitsTest, EndsASessionAtItsTime) {
  const HeldBackend backend("a");
  set_upstream("up", backend.port());
  stream_.longest_session = base::Duration(200);
  serve();
  LimitedClient client(stream_.port);
  const auto began = std::chrono::steady_clock::now();
  while (client.receive()) client.send("busy");
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(190));
}

TEST_F(TcpLimitsTest, WritesJsonAndSamples) {
  const HeldBackend backend("a");
  set_upstream("up", backend.port());
  stream_.log.per_million = 0;
  serve();
  EXPECT_EQ(LimitedClient(stream_.port).receive(), "a");
  stream_.log = {};
  stream_.log.is_json = true;
  serve();
  EXPECT_EQ(LimitedClient(stream_.port).receive(), "a");
  const auto log = log_with("}\n");
  EXPECT_TRUE(log.starts_with("{\"time\":")) << log;
  EXPECT_TRUE(log.contains(R"("stream":"tcp-n-s-1","client":"127.0.0.1")")) << log;
  EXPECT_TRUE(log.contains(
      R"("status":"200","reason":"client_closed","bytes_received":"0","bytes_sent":"1")"))
      << log;
  EXPECT_EQ(std::ranges::count(log, '\n'), 1) << "the first one was not drawn";
}

}  // namespace
}  // namespace penstock::worker
