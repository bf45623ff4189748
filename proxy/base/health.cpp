#include "proxy/base/health.h"

namespace penstock::base {

std::shared_ptr<HealthCell> HealthTable::of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (cells_.size() >= sweep_at_) {
    std::erase_if(cells_, [](const auto& each) { return each.second.expired(); });
    sweep_at_ = cells_.size() * 2 + 64;
  }
  auto& known = cells_[name];
  auto cell = known.lock();
  if (!cell) known = cell = std::make_shared<HealthCell>(Health::kUnknown);
  return cell;
}

}  // namespace penstock::base
