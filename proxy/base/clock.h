#pragma once
// Time on the data path. `CoarseClock::now` is one load: the worker refreshes it once per turn of
// its loop, so that no request pays for asking the kernel.
#include <chrono>

namespace penstock::base {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// One per thread; single-threaded.
class CoarseClock {
 public:
  CoarseClock() { refresh(); }
  void refresh() {
    steady_ = std::chrono::steady_clock::now();
    wall_ = std::chrono::system_clock::now();
  }
  SteadyTime now() const { return steady_; }
  WallTime wall() const { return wall_; }

 private:
  SteadyTime steady_;
  WallTime wall_;
};

}  // namespace penstock::base
