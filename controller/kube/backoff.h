#pragma once
// How long to wait before trying again: doubles with every failure, with jitter so that a thousand
// clients do not return in the same moment. Pure: randomness is given.
#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>

namespace penstock::kube {

/// A number in [0, 1).
using Random = std::function<double()>;

class Backoff {
 public:
  using Delay = std::chrono::milliseconds;
  /// What a server may ask for at most; without a bound one wrong header would end all updates.
  static constexpr Delay kMaxRetryAfter = std::chrono::minutes(5);

  Backoff(Delay first, Delay most, Random random)
      : first_(first), most_(most), random_(std::move(random)) {}

  /// Half of the step plus up to another half; never less than the server asked for.
  Delay next(std::optional<std::chrono::seconds> retry_after = {}) {
    const auto step = std::min<Delay>(first_ * (1LL << std::min(failures_, 30)), most_);
    ++failures_;
    const Delay delay(
        static_cast<Delay::rep>(static_cast<double>(step.count()) * (0.5 + 0.5 * random_())));
    if (!retry_after) return delay;
    return std::max(delay, std::min<Delay>(*retry_after, kMaxRetryAfter));
  }
  void reset() { failures_ = 0; }
  int failures() const { return failures_; }

 private:
  Delay first_;
  Delay most_;
  Random random_;
  int failures_ = 0;
};

}  // namespace penstock::kube
