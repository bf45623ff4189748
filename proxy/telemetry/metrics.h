#pragma once
// The proxy's metrics. Each worker counts in memory of its own, with one writer and no read-modify-
// write; a scrape sums over the workers. Names of ingress-nginx where it has them.
#include <prometheus/metric_family.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "proxy/snapshot/snapshot.h"
#include "proxy/telemetry/buckets.h"
#include "proxy/telemetry/counter.h"
#include "proxy/telemetry/endpoint_health.h"
#include "proxy/telemetry/record.h"
#include "proxy/telemetry/stream_series.h"
#include "proxy/telemetry/trace_counts.h"
#include "proxy/telemetry/upstream_series.h"

namespace penstock::telemetry {

enum class Histogram : std::uint8_t {
  kRequestDuration,
  kResponseDuration,
  kHeaderDuration,
  kConnectDuration,
  kRequestSize,
  kResponseSize,
  kBytesSent,  // the value of kResponseSize in other buckets
  kCount,
};

/// What is told apart: one set of counters for each.
struct RequestLabels {
  std::string name_space;
  std::string ingress;
  std::string service;
  std::string host;
  std::string path;
  std::string method;
  std::uint16_t status = 0;

  auto operator<=>(const RequestLabels&) const = default;
};

/// With many routes each request meets another series in cold memory: what most requests touch, the
/// sums and the first buckets of all histograms, shares its cache lines.
struct alignas(64) RequestSeries {
  static constexpr auto kHistograms = static_cast<std::size_t>(Histogram::kCount);
  using Line = std::array<Counter, kHistograms>;

  Counter requests;
  Line sums;  // in the units of the record: milliseconds and bytes
  struct alignas(64) Bucket {
    Line of;
  };
  std::array<Bucket, kMostBuckets + 1> buckets;  // the bounds are those of the metric's row

  void observe(Histogram histogram, std::size_t bucket, std::uint64_t value) {
    const auto index = static_cast<std::size_t>(histogram);
    buckets[bucket].of[index].add();
    sums[index].add(value);
  }
};

/// The counters of one worker.
class WorkerMetrics {
 public:
  Counter connections_accepted;
  Counter connections_active;
  Counter connections_waiting;
  Counter connections_writing;
  Counter requests;
  Counter handshake_failures;
  Counter series_refused;

  /// The series of a route's answers. `host` keeps the route alive while it is remembered.
  RequestSeries* find(const snapshot::PartPtr& host, const snapshot::Route& route,
                      std::string_view method, std::uint16_t status);
  /// Null where there are too many. Asked for once for each port, which holds it.
  std::shared_ptr<StreamSeries> stream(const StreamLabels& labels);
  /// Visits what is counted of a port: one for each object that has had it.
  template <class Visit>
  void for_each_stream(const std::string& name, Visit visit) const {
    for (auto each = streams_.lower_bound({name, "", ""});
         each != streams_.end() && each->first.stream == name; ++each) {
      visit(*each->second);
    }
  }
  /// Visits all of them, with their labels.
  template <class Visit>
  void for_each_stream(Visit visit) const {
    for (const auto& [labels, series] : streams_) visit(labels, *series);
  }
  /// Null where nothing is counted of it.
  const StreamSeries* find_stream(const StreamLabels& labels) const {
    const auto found = streams_.find(labels);
    return found == streams_.end() ? nullptr : found->second.get();
  }
  /// Shared by all beyond a bound, so that sums stay right.
  std::shared_ptr<UpstreamSeries> upstream(const std::string& name);
  void observe(RequestSeries& series, const HttpRecord& record);
  /// Forgets routes that only this remembers and upstreams that nobody counts any more. The counts
  /// of such routes and ports stay until there are many.
  void sweep();

 private:
  friend class Metrics;
  struct Handle {
    snapshot::PartPtr host;
    RequestSeries* series;
  };
  struct KeyHash {
    std::size_t operator()(const std::tuple<const void*, int, std::uint16_t>& key) const {
      const auto address = reinterpret_cast<std::uintptr_t>(std::get<0>(key)) >> 4;
      return address * 0x9e3779b97f4a7c15ULL + static_cast<std::size_t>(std::get<1>(key)) * 1031 +
             std::get<2>(key);
    }
  };

  std::unordered_map<std::tuple<const void*, int, std::uint16_t>, Handle, KeyHash> handles_;
  mutable std::mutex mutex_;  // over the maps' shape: taken for a new series and for a scrape
  std::map<RequestLabels, std::shared_ptr<RequestSeries>> series_;
  std::map<StreamLabels, std::shared_ptr<StreamSeries>> streams_;
  std::map<std::string, std::shared_ptr<UpstreamSeries>> upstreams_;
};

/// One for the process.
class Metrics {
 public:
  WorkerMetrics& worker(std::size_t index);
  EndpointHealth& endpoint_health() { return endpoint_health_; }
  TraceCounts& traces() { return traces_; }
  /// The labels that the metrics of ingress-nginx carry in addition to their own. From any thread.
  void set_instance(const snapshot::Instance& instance);
  /// From any thread. `access_log_dropped` and `version` come from their owners.
  std::vector<prometheus::MetricFamily> collect(std::uint64_t access_log_dropped,
                                                std::uint64_t version) const;
  /// In Prometheus's text format.
  std::string text(std::uint64_t access_log_dropped, std::uint64_t version) const;

 private:
  mutable std::mutex mutex_;
  snapshot::Instance instance_;
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;
  EndpointHealth endpoint_health_;
  TraceCounts traces_;
};

}  // namespace penstock::telemetry
