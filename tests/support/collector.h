#pragma once
// A collector of spans: a real HTTP server on loopback, which keeps what is posted to it and
// answers as it is told.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace penstock::test {

class Collector {
 public:
  static constexpr const char* kAccepted =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

  /// Port 0: one of the system's choice.
  explicit Collector(std::uint16_t port = 0) : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
    listen(listener_, 16);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Collector() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  std::uint16_t port() const { return port_; }
  /// What the next request gets; after all of these kAccepted. Empty: the connection is closed.
  void answer_with(std::vector<std::string> answers) {
    const std::lock_guard lock(mutex_);
    answers_.assign(answers.begin(), answers.end());
  }
  /// The next request, head and body; nothing where none comes within ten seconds.
  std::optional<std::string> take() {
    std::unique_lock lock(mutex_);
    if (!news_.wait_for(lock, std::chrono::seconds(10), [this] { return !requests_.empty(); })) {
      return std::nullopt;
    }
    auto request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }

 private:
  void run() {
    for (;;) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      const auto request = read(connection);
      std::string answer = kAccepted;
      {
        const std::lock_guard lock(mutex_);
        if (is_ending_) {
          close(connection);
          return;
        }
        if (!answers_.empty()) {
          answer = answers_.front();
          answers_.pop_front();
        }
      }
      send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      shutdown(connection, SHUT_WR);
      pollfd closed{connection, POLLIN, 0};
      poll(&closed, 1, 2'000);
      close(connection);
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      news_.notify_one();
    }
  }

  static std::string read(int connection) {
    std::string text;
    char buffer[4096];
    for (;;) {
      const auto end = text.find("\r\n\r\n");
      const auto at = text.find("Content-Length: ");
      if (end != std::string::npos && at != std::string::npos &&
          text.size() >= end + 4 + std::stoul(text.substr(at + 16))) {
        return text;
      }
      const auto got = recv(connection, buffer, sizeof buffer, 0);
      if (got <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::string> answers_;
  std::deque<std::string> requests_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace penstock::test
