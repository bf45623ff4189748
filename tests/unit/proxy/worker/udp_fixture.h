#pragma once
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
#include "tests/unit/proxy/worker/free_port.h"

// Beside fixture.h, whose servers and clients have the same names.
namespace penstock::worker::udp_ports {

using asio::ip::udp;
using snapshot::UdpStream;

inline udp::endpoint local(std::uint16_t port, const char* address = "127.0.0.1") {
  return {asio::ip::make_address(address), port};
}

inline std::uint16_t free_port() { return test::free_port<udp>(); }

inline bool is_readable(udp::socket& socket, int milliseconds) {
  pollfd poll{socket.native_handle(), POLLIN, 0};
  return ::poll(&poll, 1, milliseconds) == 1;
}

/// A server with one thread: answers each datagram by what `answer` makes of it, which may be none
/// or several.
class UdpBackend {
 public:
  using Answer = std::function<std::vector<std::string>(const std::string&)>;
  explicit UdpBackend(Answer answer = [](const std::string& text) {
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
  ~UdpBackend() {
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

class UdpClient {
 public:
  explicit UdpClient(std::uint16_t port, const char* address = "127.0.0.1")
      : UdpClient(udp::endpoint(asio::ip::make_address(address), port)) {}
  explicit UdpClient(const udp::endpoint& to) : socket_(io_, to.protocol()) { socket_.connect(to); }

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

}  // namespace penstock::worker::udp_ports
