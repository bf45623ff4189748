#pragma once
#include <cstdint>

#include "proxy/base/health.h"
#include "proxy/snapshot/policy/health_check.h"

namespace penstock::health {

/// From findings to a state: the first one decides, later ones when there are enough in a row.
class Judge {
 public:
  /// True where the state has changed.
  bool take(bool is_well, const snapshot::HealthCheck& check) {
    const auto found = is_well ? base::Health::kUp : base::Health::kDown;
    if (found == state_) {
      against_ = 0;
      return false;
    }
    const auto needed = is_well ? check.passes : check.fails;
    if (state_ != base::Health::kUnknown && ++against_ < needed) return false;
    state_ = found;
    against_ = 0;
    return true;
  }
  base::Health state() const { return state_; }

 private:
  base::Health state_ = base::Health::kUnknown;
  std::uint32_t against_ = 0;  // findings in a row that speak against the state
};

}  // namespace penstock::health
