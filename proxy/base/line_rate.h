#pragma once
// So many log lines a second, so that a flood does not become a flood of lines. One thread.
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "proxy/base/clock.h"

namespace penstock::base {

class LineRate {
 public:
  explicit LineRate(std::uint32_t per_second) : per_second_(per_second) {}

  /// Nothing where the line is one too many; else how many were too many since the last one.
  std::optional<std::uint64_t> admit(SteadyTime now) {
    if (now - since_ >= std::chrono::seconds(1)) {
      since_ = now;
      count_ = 0;
    }
    if (count_ >= per_second_) {
      ++suppressed_;
      return std::nullopt;
    }
    ++count_;
    return std::exchange(suppressed_, 0);
  }

 private:
  std::uint32_t per_second_;
  SteadyTime since_;
  std::uint32_t count_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace penstock::base
