#pragma once
// The limits that one worker has to do with, by name: the shared objects without the shared lock.
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "proxy/base/limit.h"

namespace penstock::session {

class LimitCache {
 public:
  /// The table that all workers share; before, the worker has one of its own.
  void use(std::shared_ptr<base::LimitTable> table) { table_ = std::move(table); }

  const std::shared_ptr<base::StreamLimits>& of(const std::string& name) {
    auto& place = known_[name];
    if (!place) place = table_->of(name);
    return place;
  }
  base::LimitTable& table() { return *table_; }
  /// Forgets what nothing here has used since the last time.
  void sweep() {
    std::erase_if(known_, [](const auto& each) { return each.second.use_count() == 1; });
  }

 private:
  std::shared_ptr<base::LimitTable> table_ = std::make_shared<base::LimitTable>();
  std::map<std::string, std::shared_ptr<base::StreamLimits>> known_;
};

}  // namespace penstock::session
