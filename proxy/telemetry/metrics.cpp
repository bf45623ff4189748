#include "proxy/telemetry/metrics.h"

#include <algorithm>
#include <span>
#include <unordered_set>

#include "proxy/telemetry/buckets.h"

namespace penstock::telemetry {
namespace {

constexpr std::size_t kMostSeries = 20'000;  // of one worker
constexpr std::size_t kManySeries = kMostSeries / 2;
constexpr std::size_t kMostStreams = 4'096;
constexpr std::size_t kManyStreams = kMostStreams / 2;
constexpr std::size_t kMostUpstreams = 5'000;
constexpr char kOtherUpstreams[] = "other";  // no upstream's name is without a slash

constexpr std::array<std::string_view, 9> kMethods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};

/// What clients invent counts as one.
int method_index(std::string_view method) {
  const auto found = std::ranges::find(kMethods, method);
  return static_cast<int>(found - kMethods.begin());
}

void observe_value(RequestSeries& series, Histogram histogram,
                   std::span<const std::uint64_t> bounds, std::uint64_t value) {
  const auto place = std::ranges::lower_bound(bounds, value) - bounds.begin();
  series.observe(histogram, static_cast<std::size_t>(place), value);
}

void observe_time(RequestSeries& series, Histogram histogram, base::Duration time) {
  if (time.count() < 0) return;
  observe_value(series, histogram, kTimes, static_cast<std::uint64_t>(time.count()));
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
  if (!series) series = std::make_shared<RequestSeries>();
  handle = {host, series.get()};
  return handle.series;
}

std::shared_ptr<StreamSeries> WorkerMetrics::stream(const StreamLabels& labels) {
  const auto found = streams_.find(labels);
  if (found != streams_.end()) return found->second;
  if (streams_.size() >= kMostStreams) return nullptr;
  const std::lock_guard lock(mutex_);
  return streams_.emplace(labels, std::make_shared<StreamSeries>()).first->second;
}

std::shared_ptr<UpstreamSeries> WorkerMetrics::upstream(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const bool has_room = upstreams_.size() < kMostUpstreams || upstreams_.contains(name);
  auto& series = upstreams_[has_room ? name : kOtherUpstreams];
  if (!series) series = std::make_shared<UpstreamSeries>();
  return series;
}

void WorkerMetrics::observe(RequestSeries& series, const HttpRecord& record) {
  series.requests.add();
  observe_time(series, Histogram::kRequestDuration, record.time);
  observe_value(series, Histogram::kRequestSize, kLengths, record.request_length);
  observe_value(series, Histogram::kResponseSize, kLengths, record.bytes_sent);
  observe_value(series, Histogram::kBytesSent, kSizes, record.bytes_sent);
  if (record.tries.size() != 1) return;  // as the original: a list of times is not one
  const auto& only = record.tries.front();
  observe_time(series, Histogram::kResponseDuration, only.total);
  observe_time(series, Histogram::kHeaderDuration, only.header);
  observe_time(series, Histogram::kConnectDuration, only.connect);
}

void WorkerMetrics::sweep() {
  std::erase_if(handles_, [](const auto& each) { return each.second.host.use_count() == 1; });
  const std::lock_guard lock(mutex_);
  std::erase_if(upstreams_, [](const auto& each) { return each.second.use_count() == 1; });
  if (streams_.size() >= kManyStreams) {
    std::erase_if(streams_, [](const auto& each) { return each.second.use_count() == 1; });
  }
  if (series_.size() < kManySeries || series_.size() <= handles_.size()) return;
  std::unordered_set<const RequestSeries*> in_use;
  for (const auto& [key, handle] : handles_) in_use.insert(handle.series);
  std::erase_if(series_, [&](const auto& each) { return !in_use.contains(each.second.get()); });
}

WorkerMetrics& Metrics::worker(std::size_t index) {
  const std::lock_guard lock(mutex_);
  while (workers_.size() <= index) workers_.push_back(std::make_unique<WorkerMetrics>());
  return *workers_[index];
}

void Metrics::set_instance(const snapshot::Instance& instance) {
  const std::lock_guard lock(mutex_);
  instance_ = instance;
}

}  // namespace penstock::telemetry
