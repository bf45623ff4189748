// What a scrape reads of TCP and UDP ports.
#include <limits>

#include "proxy/telemetry/families.h"

namespace penstock::telemetry {
namespace {

using prometheus::MetricType;
using All = std::vector<std::shared_ptr<const StreamSeries>>;

struct Row {
  const char* name;
  const char* help;
  MetricType type;
  Counter StreamSeries::* member;
};

constexpr Row kRows[] = {
    {"penstock_stream_sessions_active", "TCP and UDP sessions now.", MetricType::Gauge,
     &StreamSeries::active},
    {"penstock_stream_received_bytes_total", "Bytes received from clients.", MetricType::Counter,
     &StreamSeries::bytes_received},
    {"penstock_stream_sent_bytes_total", "Bytes sent to clients.", MetricType::Counter,
     &StreamSeries::bytes_sent},
    {"penstock_stream_dropped_datagrams_total",
     "Datagrams of clients or for them that were dropped: denied, beyond a limit, not sendable.",
     MetricType::Counter, &StreamSeries::dropped},
};

Labels labels_of(const StreamLabels& labels) {
  return {{"stream", labels.stream}, {"namespace", labels.name_space}, {"name", labels.name}};
}

/// A reason that has not come yet has no line: most never come.
void add_ended(const Streams& streams, Families& out) {
  auto& ended = family(out, "penstock_stream_sessions_total",
                       "TCP and UDP sessions that have ended, by the reason.", MetricType::Counter);
  for (const auto& [labels, all] : streams) {
    for (const auto& row : base::end_reasons()) {
      std::uint64_t sum = 0;
      for (const auto& each : all) sum += each->ended[static_cast<std::size_t>(row.reason)].get();
      if (sum == 0) continue;
      auto with_reason = labels_of(labels);
      with_reason.push_back({"reason", std::string(row.word)});
      ended.metric.push_back(value_of(MetricType::Counter, sum, std::move(with_reason)));
    }
  }
}

template <std::size_t N>
prometheus::ClientMetric histogram_of(const All& all, TimeHistogram<N> StreamSeries::* member,
                                      std::span<const std::uint64_t, N> bounds) {
  constexpr double kUnit = 1000;
  prometheus::ClientMetric metric;
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= N; ++i) {
    for (const auto& each : all) count += ((*each).*member).buckets[i].get();
    const double bound =
        i < N ? static_cast<double>(bounds[i]) / kUnit : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({count, bound});
  }
  for (const auto& each : all) sum += ((*each).*member).sum.get();
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = static_cast<double>(sum) / kUnit;
  return metric;
}

/// Of ports that have been used: a range of a thousand makes no thousand empty histograms.
template <std::size_t N>
void add_histogram(const Streams& streams, TimeHistogram<N> StreamSeries::* member,
                   std::span<const std::uint64_t, N> bounds, prometheus::MetricFamily& to) {
  for (const auto& [labels, all] : streams) {
    auto metric = histogram_of(all, member, bounds);
    if (metric.histogram.sample_count == 0) continue;
    metric.label = labels_of(labels);
    to.metric.push_back(std::move(metric));
  }
}

}  // namespace

void add_streams(const Streams& streams, Families& out) {
  add_ended(streams, out);
  for (const auto& row : kRows) {
    auto& one = family(out, row.name, row.help, row.type);
    for (const auto& [labels, all] : streams) {
      one.metric.push_back(value_of(row.type, sum_of(row.member, all), labels_of(labels)));
    }
  }
  add_histogram<kConnectTimes.size()>(
      streams, &StreamSeries::connect_time, kConnectTimes,
      family(out, "penstock_stream_connect_duration_seconds", "Time to connect to the endpoint.",
             MetricType::Histogram));
  add_histogram<kSessionTimes.size()>(streams, &StreamSeries::duration, kSessionTimes,
                                      family(out, "penstock_stream_session_duration_seconds",
                                             "How long sessions last.", MetricType::Histogram));
}

}  // namespace penstock::telemetry
