#pragma once
// One worker with what stands on both sides of it: real servers and clients over loopback.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "proxy/routing/compile.h"
#include "proxy/worker/worker.h"
#include "tests/unit/proxy/worker/free_port.h"

namespace penstock::worker {

inline std::uint16_t free_port() { return test::free_port<asio::ip::tcp>(); }

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

/// Sends a reset and keeps the descriptor, which another thread may be about to shut down.
inline void reset(asio::ip::tcp::socket& socket) {
  const sockaddr nobody = {.sa_family = AF_UNSPEC, .sa_data = {}};
  ASSERT_EQ(::connect(socket.native_handle(), &nobody, sizeof nobody), 0);
}

/// Reads one head; its text, or empty at the end.
inline std::string read_head(asio::ip::tcp::socket& socket, std::string& buffer) {
  boost::system::error_code code;
  const auto size = asio::read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", code);
  if (code) return {};
  auto head = buffer.substr(0, size);
  buffer.erase(0, size);
  return head;
}

/// Answers every request with its own head as the body.
inline void echo_heads(asio::ip::tcp::socket& socket) {
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
  ~WorkerTest() override { stop(); }

  void stop() {
    if (std::exchange(is_stopped_, true)) return;
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
  telemetry::TraceExporter traces_{metrics_.traces()};
  Worker worker_{Telemetry{.metrics = &metrics_.worker(0), .log = &log_, .traces = &traces_}};
  bool is_stopped_ = false;
};

inline constexpr std::string_view kGet = "GET /p?q HTTP/1.1\r\nHost: a.example\r\n\r\n";

}  // namespace penstock::worker
