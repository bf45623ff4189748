#pragma once
// The right of a session to be there, counted for all workers together. What was counted is given
// back when the pass goes.
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "proxy/base/clock.h"
#include "proxy/base/limit.h"
#include "proxy/snapshot/policy/connection_limits.h"

namespace penstock::session {

class SessionPass {
 public:
  SessionPass() = default;
  SessionPass(SessionPass&& other) noexcept
      : limits_(std::exchange(other.limits_, nullptr)),
        is_counted_(other.is_counted_),
        counted_address_(std::exchange(other.counted_address_, std::nullopt)) {}
  SessionPass& operator=(SessionPass&& other) noexcept {
    if (this != &other) {
      leave();
      limits_ = std::exchange(other.limits_, nullptr);
      is_counted_ = other.is_counted_;
      counted_address_ = std::exchange(other.counted_address_, std::nullopt);
    }
    return *this;
  }
  ~SessionPass() { leave(); }

  /// Nothing where one of the limits says no. Zero is no limit.
  static std::optional<SessionPass> enter(std::shared_ptr<base::StreamLimits> limits,
                                          const snapshot::ConnectionLimits& most,
                                          const base::Address& client, base::SteadyTime now);
  /// Of one backend.
  static std::optional<SessionPass> enter(std::shared_ptr<base::StreamLimits> limits,
                                          std::uint32_t most);

 private:
  void leave();

  std::shared_ptr<base::StreamLimits> limits_;
  bool is_counted_ = false;
  std::optional<base::Address> counted_address_;
};

}  // namespace penstock::session
