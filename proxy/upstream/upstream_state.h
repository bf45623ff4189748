#pragma once
// One upstream as one worker sees it: its endpoints with their load and health, and the balancer
// that chooses among them. Reconciled when the table changes; nothing about a surviving endpoint
// is forgotten.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proxy/snapshot/upstream.h"
#include "proxy/upstream/balance/balancer.h"
#include "proxy/upstream/endpoint.h"

namespace penstock::upstream {

/// The right to use one endpoint, counted as active while it lives.
class Lease {
 public:
  explicit Lease(EndpointPtr endpoint) : endpoint_(std::move(endpoint)) {
    ++endpoint_->active;
    ++endpoint_->requests;
    endpoint_->series->active.add();
  }
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept {
    release();
    endpoint_ = std::move(other.endpoint_);
    return *this;
  }
  ~Lease() { release(); }

  const EndpointPtr& endpoint() const { return endpoint_; }

 private:
  void release() {
    if (!endpoint_) return;
    --endpoint_->active;
    endpoint_->series->active.subtract();
    endpoint_.reset();
  }
  EndpointPtr endpoint_;
};

class UpstreamState {
 public:
  /// `series` is where this worker counts what the upstream's endpoints do.
  UpstreamState(Random& random, std::shared_ptr<telemetry::UpstreamSeries> series)
      : random_(random), series_(std::move(series)) {}
  explicit UpstreamState(Random& random)
      : UpstreamState(random, std::make_shared<telemetry::UpstreamSeries>()) {}

  /// Addresses that do not parse are left out; `validate` has refused them before.
  /// `health` is where active checks write what they find; needed where the upstream has a check.
  void reconcile(const snapshot::Upstream& upstream, const snapshot::Endpoints& endpoints,
                 base::HealthTable* health = nullptr);
  /// Marks every endpoint as retired: the upstream is gone.
  void retire();

  /// Endpoints with these texts ("10.0.0.1:80") take nothing new, whatever the table says, until
  /// this is called without them. What runs on them goes on.
  void set_drained(std::set<std::string> texts);

  bool empty() const { return endpoints_.empty(); }
  std::size_t size() const { return endpoints_.size(); }
  bool has_up(base::SteadyTime now) const;
  /// Those that are drained as well.
  const std::vector<EndpointPtr>& endpoints() const { return all_; }
  bool is_drained(const Endpoint& endpoint) const { return drained_.contains(endpoint.text); }
  bool is_hashing() const { return balancing_ && upstream::is_hashing(balancing_->algorithm); }

  /// An endpoint that is not in `tried`. When all that are left are down they are tried all the
  /// same; when all were tried, they are tried again (nginx does, up to proxy_next_upstream_tries).
  std::optional<Lease> pick(const PickInput& input, const std::vector<EndpointPtr>& tried);

  /// The endpoint with this address, also where it is drained; null where it has left.
  EndpointPtr find(const base::TcpEndpoint& address) const;

  void report_success(Endpoint& endpoint, std::chrono::duration<double> response_time,
                      base::SteadyTime now) const;
  void report_failure(Endpoint& endpoint, base::SteadyTime now) const;

 private:
  bool is_panicking(base::SteadyTime now) const;
  bool may_take(Endpoint& endpoint, base::SteadyTime now);
  void watch_health(const snapshot::HealthCheck& check, base::HealthTable* health);
  /// Chooses from `all_` who takes something new; true where that has changed.
  bool select();

  Random& random_;
  std::shared_ptr<telemetry::UpstreamSeries> series_;
  std::optional<snapshot::Balancing> balancing_;
  snapshot::PassiveHealth health_;
  snapshot::HealthCheck health_check_;
  std::unique_ptr<Balancer> balancer_;
  std::set<std::string> drained_;
  std::vector<EndpointPtr> all_;
  std::vector<EndpointPtr> endpoints_;  // those that are not drained
};

}  // namespace penstock::upstream
