#include "proxy/telemetry/metrics.h"

#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <span>

namespace penstock::telemetry {
namespace {

constexpr std::size_t kMostSeries = 20'000;  // of one worker
constexpr std::size_t kMostStreams = 4'096;

constexpr std::array<std::string_view, 9> kMethods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};

/// What clients invent counts as one.
int method_index(std::string_view method) {
  const auto found = std::ranges::find(kMethods, method);
  return static_cast<int>(found - kMethods.begin());
}

// Milliseconds and bytes; a bucket holds what is at most its bound.
constexpr std::array<std::uint64_t, kMostBuckets> kTimes = {5,   10,   25,   50,   100,  250,
                                                            500, 1000, 2500, 5000, 10000};
constexpr std::array<std::uint64_t, 10> kLengths = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100};

void observe_value(Histogram& histogram, std::span<const std::uint64_t> bounds,
                   std::uint64_t value) {
  const auto place = std::ranges::lower_bound(bounds, value) - bounds.begin();
  histogram.buckets[static_cast<std::size_t>(place)].add();
  histogram.sum.add(value);
}

void observe_time(Histogram& histogram, base::Duration time) {
  if (time.count() >= 0) observe_value(histogram, kTimes, static_cast<std::uint64_t>(time.count()));
}

/// One row for each histogram of requests.
struct HistogramRow {
  const char* name;
  const char* help;
  Histogram RequestSeries::* member;
  std::span<const std::uint64_t> bounds;
  double unit;  // of the metric in units of the record
};

constexpr HistogramRow kHistograms[] = {
    {"nginx_ingress_controller_request_duration_seconds",
     "Time from the first byte of a request to the last byte of its answer.",
     &RequestSeries::request_duration, kTimes, 1000},
    {"nginx_ingress_controller_response_duration_seconds",
     "Time that the upstream took for the whole answer.", &RequestSeries::response_duration, kTimes,
     1000},
    {"nginx_ingress_controller_header_duration_seconds",
     "Time that the upstream took for the head of the answer.", &RequestSeries::header_duration,
     kTimes, 1000},
    {"nginx_ingress_controller_connect_duration_seconds", "Time to connect to the upstream.",
     &RequestSeries::connect_duration, kTimes, 1000},
    {"nginx_ingress_controller_request_size", "Bytes of requests, heads included.",
     &RequestSeries::request_size, kLengths, 1},
    {"nginx_ingress_controller_response_size", "Bytes of answers, heads included.",
     &RequestSeries::response_size, kLengths, 1},
};

struct WorkerRow {
  const char* name;
  const char* help;
  prometheus::MetricType type;
  const char* label;  // name of the one label, or null
  const char* value;
  Counter WorkerMetrics::* member;
};

// Rows of one name stand together.
constexpr WorkerRow kWorkerRows[] = {
    {"nginx_ingress_controller_nginx_process_connections_total", "Connections of clients.",
     prometheus::MetricType::Counter, "state", "accepted", &WorkerMetrics::connections_accepted},
    {"nginx_ingress_controller_nginx_process_connections_total", "",
     prometheus::MetricType::Counter, "state", "handled", &WorkerMetrics::connections_accepted},
    {"nginx_ingress_controller_nginx_process_connections", "Connections of clients now.",
     prometheus::MetricType::Gauge, "state", "active", &WorkerMetrics::connections_active},
    {"nginx_ingress_controller_nginx_process_connections", "", prometheus::MetricType::Gauge,
     "state", "waiting", &WorkerMetrics::connections_waiting},
    {"nginx_ingress_controller_nginx_process_requests_total", "HTTP requests.",
     prometheus::MetricType::Counter, nullptr, nullptr, &WorkerMetrics::requests},
    {"penstock_upstream_connections_total", "Connections used towards endpoints.",
     prometheus::MetricType::Counter, "kind", "new", &WorkerMetrics::upstream_connects},
    {"penstock_upstream_connections_total", "", prometheus::MetricType::Counter, "kind", "kept",
     &WorkerMetrics::upstream_reuses},
    {"penstock_upstream_failures_total", "Attempts on endpoints that failed.",
     prometheus::MetricType::Counter, nullptr, nullptr, &WorkerMetrics::upstream_failures},
    {"penstock_tls_handshake_failures_total", "TLS handshakes of clients that failed.",
     prometheus::MetricType::Counter, nullptr, nullptr, &WorkerMetrics::handshake_failures},
    {"penstock_metric_series_refused_total", "Requests not counted, for there are too many series.",
     prometheus::MetricType::Counter, nullptr, nullptr, &WorkerMetrics::series_refused},
};

struct StreamRow {
  const char* name;
  const char* help;
  prometheus::MetricType type;
  Counter StreamSeries::* member;
};

constexpr StreamRow kStreamRows[] = {
    {"penstock_stream_sessions_total", "TCP sessions.", prometheus::MetricType::Counter,
     &StreamSeries::sessions},
    {"penstock_stream_sessions_active", "TCP sessions now.", prometheus::MetricType::Gauge,
     &StreamSeries::active},
    {"penstock_stream_received_bytes_total", "Bytes received from clients.",
     prometheus::MetricType::Counter, &StreamSeries::bytes_received},
    {"penstock_stream_sent_bytes_total", "Bytes sent to clients.", prometheus::MetricType::Counter,
     &StreamSeries::bytes_sent},
    {"penstock_stream_failures_total", "TCP sessions that did not reach an endpoint.",
     prometheus::MetricType::Counter, &StreamSeries::failures},
};

using Families = std::vector<prometheus::MetricFamily>;

prometheus::MetricFamily family(const char* name, const char* help, prometheus::MetricType type) {
  return {name, help, type, {}};
}

prometheus::ClientMetric value_of(prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  (type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value) = value;
  return metric;
}

std::vector<prometheus::ClientMetric::Label> labels_of(const RequestLabels& labels) {
  return {{"namespace", labels.name_space},
          {"ingress", labels.ingress},
          {"service", labels.service},
          {"host", labels.host},
          {"path", labels.path},
          {"method", labels.method},
          {"status", std::to_string(labels.status)},
          {"canary", ""}};
}

prometheus::ClientMetric histogram_of(const HistogramRow& row,
                                      const std::vector<const RequestSeries*>& all) {
  prometheus::ClientMetric metric;
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= row.bounds.size(); ++i) {
    for (const auto* series : all) count += (series->*row.member).buckets[i].get();
    const double bound = i < row.bounds.size() ? static_cast<double>(row.bounds[i]) / row.unit
                                               : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({count, bound});
  }
  for (const auto* series : all) sum += (series->*row.member).sum.get();
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = static_cast<double>(sum) / row.unit;
  return metric;
}

}  // namespace

RequestSeries* WorkerMetrics::find(const snapshot::PartPtr& host, const snapshot::Route& route,
                                   std::string_view method, std::uint16_t status) {
  const auto index = method_index(method);
  auto& handle = handles_[{&route, index, status}];
  if (handle.series != nullptr) return handle.series;
  if (series_.size() >= kMostSeries) {
    series_refused.add();
    handles_.erase({&route, index, status});
    return nullptr;
  }
  const auto known = static_cast<std::size_t>(index) < kMethods.size();
  RequestLabels labels{route.name_space,
                       route.ingress,
                       route.service,
                       std::get<snapshot::Host>(*host).name,
                       route.path,
                       std::string(known ? kMethods[static_cast<std::size_t>(index)] : "other"),
                       status};
  const std::lock_guard lock(mutex_);
  auto& series = series_[std::move(labels)];
  if (!series) series = std::make_unique<RequestSeries>();
  handle = {host, series.get()};
  return handle.series;
}

StreamSeries* WorkerMetrics::stream(const std::string& name) {
  const auto found = streams_.find(name);
  if (found != streams_.end()) return found->second.get();
  if (streams_.size() >= kMostStreams) return nullptr;
  const std::lock_guard lock(mutex_);
  return streams_.emplace(name, std::make_unique<StreamSeries>()).first->second.get();
}

void WorkerMetrics::observe(RequestSeries& series, const HttpRecord& record) {
  series.requests.add();
  observe_time(series.request_duration, record.time);
  observe_value(series.request_size, kLengths, record.request_length);
  observe_value(series.response_size, kLengths, record.bytes_sent);
  if (record.tries.size() != 1) return;  // as the original: a list of times is not one
  const auto& only = record.tries.front();
  observe_time(series.response_duration, only.total);
  observe_time(series.header_duration, only.header);
  observe_time(series.connect_duration, only.connect);
}

void WorkerMetrics::sweep() {
  std::erase_if(handles_, [](const auto& each) { return each.second.host.use_count() == 1; });
}

WorkerMetrics& Metrics::worker(std::size_t index) {
  const std::lock_guard lock(mutex_);
  while (workers_.size() <= index) workers_.push_back(std::make_unique<WorkerMetrics>());
  return *workers_[index];
}

Families Metrics::collect(std::uint64_t access_log_dropped, std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  Families out;
  for (const auto& row : kWorkerRows) {
    if (out.empty() || out.back().name != row.name) {
      out.push_back(family(row.name, row.help, row.type));
    }
    std::uint64_t sum = 0;
    for (const auto& worker : workers_) sum += ((*worker).*row.member).get();
    auto metric = value_of(row.type, static_cast<double>(sum));
    if (row.label != nullptr) metric.label = {{row.label, row.value}};
    out.back().metric.push_back(std::move(metric));
  }
  std::map<RequestLabels, std::vector<const RequestSeries*>> series;
  std::map<std::string, std::vector<const StreamSeries*>> streams;
  for (const auto& worker : workers_) {
    const std::lock_guard shape(worker->mutex_);
    for (const auto& [labels, each] : worker->series_) series[labels].push_back(each.get());
    for (const auto& [name, each] : worker->streams_) streams[name].push_back(each.get());
  }
  auto& requests = out.emplace_back(family("nginx_ingress_controller_requests",
                                           "Requests finished.", prometheus::MetricType::Counter));
  for (const auto& [labels, all] : series) {
    std::uint64_t sum = 0;
    for (const auto* each : all) sum += each->requests.get();
    auto metric = value_of(prometheus::MetricType::Counter, static_cast<double>(sum));
    metric.label = labels_of(labels);
    requests.metric.push_back(std::move(metric));
  }
  for (const auto& row : kHistograms) {
    auto& histogram =
        out.emplace_back(family(row.name, row.help, prometheus::MetricType::Histogram));
    for (const auto& [labels, all] : series) {
      auto metric = histogram_of(row, all);
      metric.label = labels_of(labels);
      histogram.metric.push_back(std::move(metric));
    }
  }
  for (const auto& row : kStreamRows) {
    auto& one = out.emplace_back(family(row.name, row.help, row.type));
    for (const auto& [name, all] : streams) {
      std::uint64_t sum = 0;
      for (const auto* each : all) sum += (each->*row.member).get();
      auto metric = value_of(row.type, static_cast<double>(sum));
      metric.label = {{"stream", name}};
      one.metric.push_back(std::move(metric));
    }
  }
  const auto single = [&](const char* name, const char* help, prometheus::MetricType type,
                          double value) {
    auto& one = out.emplace_back(family(name, help, type));
    one.metric.push_back(value_of(type, value));
  };
  single("penstock_access_log_dropped_total", "Access log lines that were dropped.",
         prometheus::MetricType::Counter, static_cast<double>(access_log_dropped));
  single("penstock_snapshot_version", "The version that every worker serves.",
         prometheus::MetricType::Gauge, static_cast<double>(version));
  return out;
}

std::string Metrics::text(std::uint64_t access_log_dropped, std::uint64_t version) const {
  return prometheus::TextSerializer().Serialize(collect(access_log_dropped, version));
}

}  // namespace penstock::telemetry
