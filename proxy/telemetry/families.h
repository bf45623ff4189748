#pragma once
// How a scrape is put together: families of metrics, each the sum over the workers.
#include <prometheus/metric_family.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/telemetry/counter.h"
#include "proxy/telemetry/stream_series.h"

namespace penstock::telemetry {

using Labels = std::vector<prometheus::ClientMetric::Label>;
using Families = std::vector<prometheus::MetricFamily>;

inline prometheus::ClientMetric value_of(prometheus::MetricType type, std::uint64_t value,
                                         Labels labels) {
  prometheus::ClientMetric metric;
  const auto number = static_cast<double>(value);
  (type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value) = number;
  metric.label = std::move(labels);
  return metric;
}

/// Rows of one name stand together and make one family.
inline prometheus::MetricFamily& family(Families& out, const char* name, const char* help,
                                        prometheus::MetricType type) {
  if (out.empty() || out.back().name != name) out.push_back({name, help, type, {}});
  return out.back();
}

template <class Series, class All>
std::uint64_t sum_of(Counter Series::* member, const All& all) {
  std::uint64_t sum = 0;
  for (const auto& each : all) sum += ((*each).*member).get();
  return sum;
}

using Streams = std::map<StreamLabels, std::vector<std::shared_ptr<const StreamSeries>>>;
void add_streams(const Streams& streams, Families& out);

}  // namespace penstock::telemetry
