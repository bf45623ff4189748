#pragma once
// What active checks have found, as metrics. The thread that asks adds and counts; a scrape reads.
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "proxy/telemetry/counter.h"

namespace penstock::telemetry {

/// Of one endpoint; shared by the upstreams that it stands in.
struct HealthSeries {
  Counter healthy;  // 1 or 0
  Counter passed;
  Counter failed;
};

class EndpointHealth {
 public:
  using Key = std::pair<std::string, std::string>;  // upstream, endpoint
  using All = std::map<Key, std::shared_ptr<const HealthSeries>>;

  /// Nothing where there are too many already.
  void add(const std::string& upstream, const std::string& endpoint,
           std::shared_ptr<const HealthSeries> series);
  void remove(const std::string& upstream, const std::string& endpoint);
  All all() const;

 private:
  static constexpr std::size_t kMost = 10'000;
  mutable std::mutex mutex_;
  All all_;
};

}  // namespace penstock::telemetry
