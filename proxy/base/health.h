#pragma once
// What active checks have found of endpoints: written by the one thread that asks, read by every
// worker with one load. Any thread.
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "proxy/base/published.h"

namespace penstock::base {

enum class Health : std::uint8_t {
  kUnknown,  // not asked yet: counts as up
  kUp,
  kDown,
};

using HealthCell = Published<Health>;

/// One for the process: cells by the name of what is asked.
class HealthTable {
 public:
  /// The same cell for the same name, as long as somebody holds it.
  std::shared_ptr<HealthCell> of(const std::string& name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<HealthCell>> cells_;
  std::size_t sweep_at_ = 64;  // when so many are there, those that nobody holds are forgotten
};

}  // namespace penstock::base
