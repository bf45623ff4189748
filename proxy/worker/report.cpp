#include "proxy/worker/report.h"

#include <algorithm>
#include <functional>

namespace penstock::worker {
namespace {

void add_to(EndpointReport& sum, const EndpointReport& each) {
  sum.weight = std::max(sum.weight, each.weight);
  sum.active += each.active;
  sum.down_workers += each.down_workers;
  sum.requests += each.requests;
  sum.failures += each.failures;
  sum.answers += each.answers;
  sum.answer_seconds += each.answer_seconds;
  sum.down_ms = std::max(sum.down_ms, each.down_ms);
  sum.is_drained |= each.is_drained;
  if (each.check) sum.check = each.check;  // the workers read the same cell
}

void add_to(StreamReport& sum, const StreamReport& each) {
  sum.sessions += each.sessions;
  sum.active += each.active;
  sum.bytes_received += each.bytes_received;
  sum.bytes_sent += each.bytes_sent;
  sum.failures += each.failures;
  sum.dropped += each.dropped;
}

void add_to(ErrorReport& sum, const ErrorReport& each) {
  sum.count += each.count;
  sum.last.insert(sum.last.end(), each.last.begin(), each.last.end());
  std::ranges::sort(sum.last, std::greater(), &telemetry::RecentError::time);
  if (sum.last.size() > Report::kMostErrors) sum.last.resize(Report::kMostErrors);
}

void add_to(SessionsReport& sum, const SessionsReport& each) {
  sum.active += each.active;
  sum.examined += each.examined;
  sum.busiest.insert(sum.busiest.end(), each.busiest.begin(), each.busiest.end());
  sum.ended.resize(std::max(sum.ended.size(), each.ended.size()));
  for (std::size_t i = 0; i < each.ended.size(); ++i) sum.ended[i] += each.ended[i];
}

}  // namespace

void Report::add(const Report& other) {
  workers += other.workers;
  connections_accepted += other.connections_accepted;
  connections_active += other.connections_active;
  connections_waiting += other.connections_waiting;
  requests += other.requests;
  handshake_failures += other.handshake_failures;
  idle_upstream_connections += other.idle_upstream_connections;
  for (const auto& [slot, endpoints] : other.upstreams) {
    auto& sum = upstreams[slot];
    for (const auto& [address, each] : endpoints) add_to(sum[address], each);
  }
  for (const auto& [name, each] : other.streams) add_to(streams[name], each);
  errors.resize(std::max(errors.size(), other.errors.size()));
  for (std::size_t i = 0; i < other.errors.size(); ++i) add_to(errors[i], other.errors[i]);
  if (!other.sessions) return;
  if (!sessions) sessions.emplace();
  add_to(*sessions, *other.sessions);
}

void Report::finish(const ReportRequest& request) {
  if (!sessions || !request.sessions) return;
  auto& list = sessions->busiest;
  std::ranges::sort(list, [](const auto& one, const auto& other) {
    return one.carried() != other.carried() ? one.carried() > other.carried()
                                            : one.client < other.client;
  });
  list.resize(std::min(list.size(), request.sessions->most));
}

}  // namespace penstock::worker
