#pragma once
// `penstock tap`: lines about the sessions of one port, for somebody who watches. Workers write
// them, the control thread takes them; what nobody takes is bounded, and counted beyond that.
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/ip_net.h"

namespace penstock::telemetry {

/// From any thread.
class TapLines {
 public:
  static constexpr std::size_t kMost = 1000;  // that wait to be taken
  struct Taken {
    std::vector<std::string> lines;
    std::uint64_t dropped = 0;  // since the time before
  };

  /// Asked before a line is made; no room counts as one that is dropped.
  bool has_room() {
    const std::lock_guard lock(mutex_);
    const bool has = waiting_.lines.size() < kMost;
    waiting_.dropped += has ? 0 : 1;
    return has;
  }
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    if (waiting_.lines.size() < kMost) {
      waiting_.lines.push_back(std::move(line));
    } else {
      ++waiting_.dropped;
    }
  }
  Taken take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  std::mutex mutex_;
  Taken waiting_;
};

struct Tap {
  std::string port;                   // "tcp/5432"
  std::vector<base::IpNet> clients;   // empty: all
  std::shared_ptr<TapLines> written;  // shared by all workers
};

}  // namespace penstock::telemetry
