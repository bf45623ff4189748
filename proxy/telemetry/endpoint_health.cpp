#include "proxy/telemetry/endpoint_health.h"

namespace penstock::telemetry {

void EndpointHealth::add(const std::string& upstream, const std::string& endpoint,
                         std::shared_ptr<const HealthSeries> series) {
  const std::lock_guard lock(mutex_);
  if (all_.size() < kMost) all_.insert_or_assign({upstream, endpoint}, std::move(series));
}

void EndpointHealth::remove(const std::string& upstream, const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  all_.erase({upstream, endpoint});
}

EndpointHealth::All EndpointHealth::all() const {
  const std::lock_guard lock(mutex_);
  return all_;
}

}  // namespace penstock::telemetry
