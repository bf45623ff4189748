#pragma once
// What a worker tells of its live TCP and UDP sessions when it is asked: the busiest of them, and
// of no more than kMostExamined, so that serving waits only shortly. Sessions keep nothing for it.
// On the worker's thread.
#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::session {

struct SessionReport {
  std::string stream;         // name of its part: "tcp/5432"
  std::string owner;          // "TCPService db/orders"
  std::string_view protocol;  // "TCP" or "UDP"
  std::string_view phase;     // as in error lines
  std::string client;         // address and port
  std::string endpoint;       // the same; empty before there is one
  std::uint64_t age_ms = 0;
  std::uint64_t received = 0;  // bytes from the client
  std::uint64_t sent = 0;      // bytes to the client

  std::uint64_t carried() const { return received + sent; }
};

/// A live session, to one who asks about it.
class Described {
 public:
  virtual std::uint64_t carried() const = 0;  // bytes, both ways
  virtual SessionReport describe() const = 0;

 protected:
  ~Described() = default;
};

/// Takes sessions one by one and keeps those that have carried most. They must live until `take`.
class BusiestSessions {
 public:
  static constexpr std::uint64_t kMostExamined = 65'536;

  explicit BusiestSessions(std::size_t most) : most_(most) {}

  /// False: no more are looked at.
  bool offer(const Described& session) {
    if (examined_ == kMostExamined) return false;
    ++examined_;
    kept_.emplace(session.carried(), &session);
    if (kept_.size() > most_) kept_.pop();
    return true;
  }
  std::uint64_t examined() const { return examined_; }
  /// In no order.
  std::vector<SessionReport> take() {
    std::vector<SessionReport> out;
    for (; !kept_.empty(); kept_.pop()) out.push_back(kept_.top().second->describe());
    return out;
  }

 private:
  using Candidate = std::pair<std::uint64_t, const Described*>;

  std::size_t most_;
  std::uint64_t examined_ = 0;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> kept_;  // fewest on top
};

}  // namespace penstock::session
