// What a scrape reads: one row for each metric, and the sums over the workers.
#include <prometheus/text_serializer.h>

#include <limits>
#include <span>
#include <string_view>

#include "proxy/telemetry/families.h"
#include "proxy/telemetry/metrics.h"
#include "proxy/telemetry/process_usage.h"

namespace penstock::telemetry {
namespace {

using prometheus::MetricType;

/// One row for each histogram of requests.
struct HistogramRow {
  const char* name;
  const char* help;
  Histogram histogram;
  std::span<const std::uint64_t> bounds;
  double unit;  // of the metric in units of the record
};

constexpr HistogramRow kHistograms[] = {
    {"nginx_ingress_controller_request_duration_seconds",
     "Time from the first byte of a request to the last byte of its answer.",
     Histogram::kRequestDuration, kTimes, 1000},
    {"nginx_ingress_controller_response_duration_seconds",
     "Time that the upstream took for the whole answer.", Histogram::kResponseDuration, kTimes,
     1000},
    {"nginx_ingress_controller_header_duration_seconds",
     "Time that the upstream took for the head of the answer.", Histogram::kHeaderDuration, kTimes,
     1000},
    {"nginx_ingress_controller_connect_duration_seconds", "Time to connect to the upstream.",
     Histogram::kConnectDuration, kTimes, 1000},
    {"nginx_ingress_controller_request_size", "Bytes of requests, heads included.",
     Histogram::kRequestSize, kLengths, 1},
    {"nginx_ingress_controller_response_size", "Bytes of answers, heads included.",
     Histogram::kResponseSize, kLengths, 1},
    {"nginx_ingress_controller_bytes_sent",
     "Bytes of answers, heads included (deprecated: response_size).", Histogram::kBytesSent, kSizes,
     1},
};

struct WorkerRow {
  const char* name;
  const char* help;
  MetricType type;
  const char* label;  // name of the one label, or null
  const char* value;
  Counter WorkerMetrics::* member;
};

constexpr char kConnections[] = "nginx_ingress_controller_nginx_process_connections";

// Rows of one name stand together.
constexpr WorkerRow kWorkerRows[] = {
    {"nginx_ingress_controller_nginx_process_connections_total", "Connections of clients.",
     MetricType::Counter, "state", "accepted", &WorkerMetrics::connections_accepted},
    {"nginx_ingress_controller_nginx_process_connections_total", "", MetricType::Counter, "state",
     "handled", &WorkerMetrics::connections_accepted},
    {kConnections, "Connections of clients now.", MetricType::Gauge, "state", "active",
     &WorkerMetrics::connections_active},
    {kConnections, "", MetricType::Gauge, "state", "waiting", &WorkerMetrics::connections_waiting},
    {kConnections, "", MetricType::Gauge, "state", "writing", &WorkerMetrics::connections_writing},
    {"nginx_ingress_controller_nginx_process_requests_total", "HTTP requests.", MetricType::Counter,
     nullptr, nullptr, &WorkerMetrics::requests},
    {"penstock_tls_handshake_failures_total", "TLS handshakes of clients that failed.",
     MetricType::Counter, nullptr, nullptr, &WorkerMetrics::handshake_failures},
    {"penstock_metric_series_refused_total", "Requests not counted, for there are too many series.",
     MetricType::Counter, nullptr, nullptr, &WorkerMetrics::series_refused},
};

struct UpstreamRow {
  const char* name;
  const char* help;
  MetricType type;
  Counter UpstreamSeries::* member;
  const char* kind = nullptr;  // value of a second label, `kind`
};

constexpr UpstreamRow kUpstreamRows[] = {
    {"penstock_upstream_connections_total", "Connections used towards endpoints.",
     MetricType::Counter, &UpstreamSeries::connects, "new"},
    {"penstock_upstream_connections_total", "", MetricType::Counter, &UpstreamSeries::reuses,
     "kept"},
    {"penstock_upstream_active", "Requests and streams on endpoints now.", MetricType::Gauge,
     &UpstreamSeries::active},
};

Labels labels_of(const RequestLabels& labels) {
  return {{"namespace", labels.name_space},
          {"ingress", labels.ingress},
          {"service", labels.service},
          {"host", labels.host},
          {"path", labels.path},
          {"method", labels.method},
          {"status", std::to_string(labels.status)},
          {"canary", ""}};
}

prometheus::ClientMetric histogram_of(
    const HistogramRow& row, const std::vector<std::shared_ptr<const RequestSeries>>& all) {
  prometheus::ClientMetric metric;
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  const auto index = static_cast<std::size_t>(row.histogram);
  for (std::size_t i = 0; i <= row.bounds.size(); ++i) {
    for (const auto& series : all) count += series->buckets[i].of[index].get();
    const double bound = i < row.bounds.size() ? static_cast<double>(row.bounds[i]) / row.unit
                                               : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({count, bound});
  }
  for (const auto& series : all) sum += series->sums[index].get();
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = static_cast<double>(sum) / row.unit;
  return metric;
}

using Requests = std::map<RequestLabels, std::vector<std::shared_ptr<const RequestSeries>>>;

void add_workers(const std::vector<std::unique_ptr<WorkerMetrics>>& workers, Families& out) {
  for (const auto& row : kWorkerRows) {
    Labels labels;
    if (row.label != nullptr) labels.push_back({row.label, row.value});
    family(out, row.name, row.help, row.type)
        .metric.push_back(value_of(row.type, sum_of(row.member, workers), std::move(labels)));
    if (row.member != &WorkerMetrics::connections_writing) continue;
    // Who neither waits nor is answered has a head (or a handshake) under way. The three are read
    // one after the other, so that their difference may be off for a moment, but never below zero.
    const auto others =
        sum_of(&WorkerMetrics::connections_waiting, workers) + sum_of(row.member, workers);
    const auto active = sum_of(&WorkerMetrics::connections_active, workers);
    out.back().metric.push_back(
        value_of(row.type, active - std::min(active, others), {{"state", "reading"}}));
  }
}

void add_requests(const Requests& requests, Families& out) {
  auto& total =
      family(out, "nginx_ingress_controller_requests", "Requests finished.", MetricType::Counter);
  for (const auto& [labels, all] : requests) {
    total.metric.push_back(
        value_of(MetricType::Counter, sum_of(&RequestSeries::requests, all), labels_of(labels)));
  }
  for (const auto& row : kHistograms) {
    auto& histogram = family(out, row.name, row.help, MetricType::Histogram);
    for (const auto& [labels, all] : requests) {
      auto metric = histogram_of(row, all);
      metric.label = labels_of(labels);
      histogram.metric.push_back(std::move(metric));
    }
  }
}

using Upstreams = std::map<std::string, std::vector<std::shared_ptr<const UpstreamSeries>>>;

/// A reason that has not come yet has no line: most never come.
void add_failures(const Upstreams& upstreams, Families& out) {
  auto& failures = family(out, "penstock_upstream_failures_total",
                          "Attempts on endpoints that failed, by the reason.", MetricType::Counter);
  for (const auto& [name, all] : upstreams) {
    for (const auto& row : base::end_reasons()) {
      std::uint64_t sum = 0;
      for (const auto& each : all)
        sum += each->failures[static_cast<std::size_t>(row.reason)].get();
      if (sum == 0) continue;
      failures.metric.push_back(value_of(MetricType::Counter, sum,
                                         {{"upstream", name}, {"reason", std::string(row.word)}}));
    }
  }
}

void add_upstreams(const Upstreams& upstreams, Families& out) {
  for (const auto& row : kUpstreamRows) {
    auto& one = family(out, row.name, row.help, row.type);
    for (const auto& [name, all] : upstreams) {
      Labels labels{{"upstream", name}};
      if (row.kind != nullptr) labels.push_back({"kind", row.kind});
      one.metric.push_back(value_of(row.type, sum_of(row.member, all), std::move(labels)));
    }
  }
}

void add_health(const EndpointHealth::All& all, Families& out) {
  if (all.empty()) return;
  const auto labels_of_key = [](const EndpointHealth::Key& key) {
    return Labels{{"upstream", key.first}, {"endpoint", key.second}};
  };
  auto& healthy =
      family(out, "penstock_upstream_endpoint_healthy",
             "1 while the endpoint passes its active health checks.", MetricType::Gauge);
  for (const auto& [key, series] : all) {
    healthy.metric.push_back(
        value_of(MetricType::Gauge, series->healthy.get(), labels_of_key(key)));
  }
  auto& checks = family(out, "penstock_upstream_health_checks_total", "Active health checks made.",
                        MetricType::Counter);
  for (const auto& [key, series] : all) {
    for (const bool is_passed : {true, false}) {
      auto labels = labels_of_key(key);
      labels.push_back({"result", is_passed ? "passed" : "failed"});
      const auto& counter = is_passed ? series->passed : series->failed;
      checks.metric.push_back(value_of(MetricType::Counter, counter.get(), std::move(labels)));
    }
  }
}

void add_traces(const TraceCounts& counts, Families& out) {
  family(out, "penstock_trace_spans_exported_total", "Spans that the collector took.",
         MetricType::Counter)
      .metric.push_back(value_of(MetricType::Counter, counts.exported.get(), {}));
  auto& dropped = family(out, "penstock_trace_spans_dropped_total",
                         "Spans that were dropped, by the reason.", MetricType::Counter);
  const auto add = [&](const char* reason, const Counter& counter) {
    dropped.metric.push_back(value_of(MetricType::Counter, counter.get(), {{"reason", reason}}));
  };
  add("queue_full", counts.queue_full);
  add("refused", counts.refused);
  add("unreachable", counts.unreachable);
}

/// Dashboards of ingress-nginx tell its instances apart by these.
void add_instance(const snapshot::Instance& instance, Families& families) {
  Labels labels;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) labels.push_back({name, value});
  };
  add("controller_class", instance.controller_class);
  add("controller_namespace", instance.name_space);
  add("controller_pod", instance.pod);
  for (auto& each : families) {
    if (!each.name.starts_with("nginx_ingress_controller_")) continue;
    for (auto& metric : each.metric) {
      metric.label.insert(metric.label.end(), labels.begin(), labels.end());
    }
  }
}

}  // namespace

Families Metrics::collect(std::uint64_t access_log_dropped, std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  // Held, for a sweep may forget them meanwhile.
  Requests requests;
  Streams streams;
  Upstreams upstreams;
  for (const auto& worker : workers_) {
    const std::lock_guard shape(worker->mutex_);
    for (const auto& [labels, each] : worker->series_) requests[labels].push_back(each);
    for (const auto& [labels, each] : worker->streams_) streams[labels].push_back(each);
    for (const auto& [name, each] : worker->upstreams_) upstreams[name].push_back(each);
  }
  Families out;
  add_workers(workers_, out);
  add_process(out);
  add_requests(requests, out);
  add_streams(streams, out);
  add_upstreams(upstreams, out);
  add_failures(upstreams, out);
  add_health(endpoint_health_.all(), out);
  family(out, "penstock_access_log_dropped_total", "Access log lines that were dropped.",
         MetricType::Counter)
      .metric.push_back(value_of(MetricType::Counter, access_log_dropped, {}));
  add_traces(traces_, out);
  family(out, "penstock_snapshot_version", "The version that every worker serves.",
         MetricType::Gauge)
      .metric.push_back(value_of(MetricType::Gauge, version, {}));
  add_instance(instance_, out);
  return out;
}

std::string Metrics::text(std::uint64_t access_log_dropped, std::uint64_t version) const {
  return prometheus::TextSerializer().Serialize(collect(access_log_dropped, version));
}

}  // namespace penstock::telemetry
