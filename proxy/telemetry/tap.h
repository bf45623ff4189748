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
  static constexpr std::size_t kMost = 1000;         // that wait to be taken
  static constexpr std::size_t kMostSize = 1 << 20;  // of their text, but for the last one
  static constexpr std::size_t kMostRecordings = 64;
  struct Taken {
    std::vector<std::string> lines;
    // Since the time before:
    std::uint64_t dropped = 0;
    std::uint64_t not_recorded = 0;  // sessions
  };

  /// Asked before a line is made; no room counts as one that is dropped.
  bool has_room() {
    const std::lock_guard lock(mutex_);
    return take_room();
  }
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    if (!take_room()) return;
    size_ += line.size();
    waiting_.lines.push_back(std::move(line));
  }
  Taken take() {
    const std::lock_guard lock(mutex_);
    size_ = 0;
    return std::exchange(waiting_, {});
  }
  /// A session that is to record its bytes asks; false where enough do. Who was let in must leave.
  bool enter_recording() {
    const std::lock_guard lock(mutex_);
    if (has_ended_) return false;
    const bool has_place = recordings_ < kMostRecordings;
    ++(has_place ? recordings_ : waiting_.not_recorded);
    return has_place;
  }
  void leave_recording() {
    const std::lock_guard lock(mutex_);
    --recordings_;
  }
  /// Nobody follows any more: nothing is taken in, and sessions stop recording.
  void end() {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  bool has_ended() {
    const std::lock_guard lock(mutex_);
    return has_ended_;
  }

 private:
  bool take_room() {
    if (has_ended_) return false;
    const bool has = waiting_.lines.size() < kMost && size_ < kMostSize;
    waiting_.dropped += has ? 0 : 1;
    return has;
  }

  std::mutex mutex_;
  Taken waiting_;
  std::size_t size_ = 0;  // of the text that waits
  std::uint64_t recordings_ = 0;
  bool has_ended_ = false;
};

struct Tap {
  static constexpr std::size_t kMostBytes = 4096;

  std::string port;                   // "tcp/5432"
  std::vector<base::IpNet> clients;   // empty: all
  std::shared_ptr<TapLines> written;  // shared by all workers
  std::size_t bytes = 0;  // that are shown of each direction of a session that begins, redacted
};

}  // namespace penstock::telemetry
