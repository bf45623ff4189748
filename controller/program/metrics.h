#pragma once
// The controller's metrics. Set on the controller's thread, read by the status server's.
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <optional>
#include <string>
#include <vector>

#include "controller/objects/source.h"
#include "controller/program/config_metrics.h"
#include "controller/world/world.h"
#include "proxy/base/clock.h"

namespace penstock::program {

class Metrics {
 public:
  Metrics();

  /// Who we are: labels of the metrics that ingress-nginx has, too. Before anything else.
  void identify(const snapshot::Instance& instance, const std::string& election_id);
  void set_objects(const world::World& world);
  void set_watches(const std::vector<objects::WatchStatus>& watches, base::SteadyTime now);
  void add_translation(std::chrono::nanoseconds time, std::size_t changed_parts);
  void add_publication(std::uint64_t bytes_sent);
  void take_changes(const translate::PartChanges& changes);
  void add_adoption();
  void add_refusal();
  /// From the event's arrival to the acknowledgement of all workers.
  void add_change_to_live(std::chrono::nanoseconds time);
  void set_diagnostics(std::size_t count);
  void set_port_conflicts(std::size_t count);
  void set_proxies(std::size_t count);
  void set_unopened_ports(std::size_t count);
  void set_leading(bool is_leading);
  /// One review of the admission webhook, from the request's arrival to the verdict.
  void add_review(bool is_allowed, std::chrono::nanoseconds time);

  /// Prometheus text format. From any thread.
  std::string text() const;

 private:
  prometheus::Gauge& gauge(const char* name, const char* help);
  prometheus::Counter& counter(const char* name, const char* help);

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Gauge>& objects_;
  prometheus::Family<prometheus::Gauge>& watch_events_;
  prometheus::Family<prometheus::Gauge>& disconnected_;
  prometheus::Histogram& translation_;
  prometheus::Histogram& change_to_live_;
  prometheus::Counter& changed_parts_;
  prometheus::Counter& publications_;
  prometheus::Gauge& bytes_sent_;
  prometheus::Counter& adoptions_;
  prometheus::Counter& refusals_;
  prometheus::Gauge& last_adoption_;
  prometheus::Gauge& diagnostics_;
  prometheus::Gauge& port_conflicts_;
  prometheus::Gauge& proxies_;
  prometheus::Gauge& unopened_ports_;
  prometheus::Gauge& leading_;
  prometheus::Histogram& review_;
  prometheus::Family<prometheus::Counter>& reviews_;
  prometheus::Counter& reviews_allowed_;
  prometheus::Counter& reviews_refused_;
  std::optional<ConfigMetrics> config_;
};

}  // namespace penstock::program
