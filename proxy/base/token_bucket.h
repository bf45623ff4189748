#pragma once
// So many bytes a second, with one second's worth at once. One thread.
#include <algorithm>
#include <chrono>
#include <cstdint>

#include "proxy/base/clock.h"
#include "proxy/base/duration.h"

namespace penstock::base {

class TokenBucket {
 public:
  /// Begins full; a rate of zero is no limit.
  TokenBucket(std::uint64_t per_second, SteadyTime now)
      : rate_(per_second), tokens_(per_second), filled_(now) {}

  bool is_limited() const { return rate_ != 0; }

  /// What may be taken now.
  std::uint64_t available(SteadyTime now) {
    if (now > filled_) {
      const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now - filled_);
      const auto bounded = std::min<std::int64_t>(passed.count(), kMicroseconds);
      const auto fresh = static_cast<std::uint64_t>(bounded) * rate_ / kMicroseconds;
      // Time that made no whole token is kept for the next call.
      if (fresh > 0) filled_ = now;
      tokens_ = std::min(tokens_ + fresh, rate_);
    }
    return tokens_;
  }
  void take(std::uint64_t amount) { tokens_ -= std::min(amount, tokens_); }
  /// Less than this is not worth a turn: wait for `kPause`.
  std::uint64_t worth() const { return std::max<std::uint64_t>(rate_ / kPausesInASecond, 1); }
  static constexpr Duration kPause{50};

 private:
  static constexpr std::uint64_t kPausesInASecond = 20;
  static constexpr std::int64_t kMicroseconds = 1'000'000;

  std::uint64_t rate_;
  std::uint64_t tokens_;
  SteadyTime filled_;
};

}  // namespace penstock::base
