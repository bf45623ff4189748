#include "proxy/upstream/upstream_state.h"

#include <algorithm>
#include <cmath>

#include "proxy/base/ip_net.h"

namespace penstock::upstream {

void UpstreamState::reconcile(const snapshot::Upstream& upstream,
                              const snapshot::Endpoints& endpoints) {
  std::vector<EndpointPtr> next;
  bool is_changed = endpoints.endpoints.size() != endpoints_.size();
  for (const auto& wanted : endpoints.endpoints) {
    const auto address = base::parse_address(wanted.address);
    if (!address) continue;
    const base::TcpEndpoint key(*address, wanted.port);
    const auto known = std::ranges::find(endpoints_, key, [](const auto& e) { return e->address; });
    if (known != endpoints_.end()) {
      is_changed |= (*known)->weight != wanted.weight;
      (*known)->weight = wanted.weight;
      next.push_back(*known);
      continue;
    }
    is_changed = true;
    auto fresh = std::make_shared<Endpoint>();
    fresh->address = key;
    fresh->text = base::format_endpoint(*address, wanted.port);
    fresh->weight = wanted.weight;
    fresh->series = series_;
    next.push_back(std::move(fresh));
  }
  for (const auto& old : endpoints_) {
    if (std::ranges::find(next, old) == next.end()) old->is_retired = true;
  }
  endpoints_ = std::move(next);
  health_ = upstream.passive_health;
  if (balancing_ != upstream.balancing) {
    balancing_ = upstream.balancing;
    balancer_ = make_balancer(*balancing_, random_);
    is_changed = true;
  }
  if (is_changed) balancer_->reset(endpoints_);
}

void UpstreamState::retire() {
  for (const auto& endpoint : endpoints_) endpoint->is_retired = true;
  endpoints_.clear();
}

bool UpstreamState::has_up(base::SteadyTime now) const {
  return std::ranges::any_of(endpoints_, [&](const auto& each) { return each->is_up(now); });
}

std::optional<Lease> UpstreamState::pick(const PickInput& input,
                                         const std::vector<EndpointPtr>& tried) {
  if (endpoints_.empty()) return std::nullopt;
  const auto is_untried = [&](std::size_t i) {
    return std::ranges::find(tried, endpoints_[i]) == tried.end();
  };
  const auto is_up_and_untried = [&](std::size_t i) {
    return endpoints_[i]->is_up(input.now) && is_untried(i);
  };
  auto index = balancer_->pick(endpoints_, input, is_up_and_untried);
  if (index == Balancer::kNone) index = balancer_->pick(endpoints_, input, is_untried);
  const auto any = [](std::size_t) { return true; };
  if (index == Balancer::kNone) index = balancer_->pick(endpoints_, input, any);
  return index == Balancer::kNone ? std::nullopt
                                  : std::optional<Lease>(std::in_place, endpoints_[index]);
}

void UpstreamState::report_success(Endpoint& endpoint, std::chrono::duration<double> response_time,
                                   base::SteadyTime now) const {
  endpoint.fails = 0;
  if (!balancing_ || balancing_->algorithm != snapshot::Algorithm::kEwma) return;
  // Peak-sensitive: a slower answer counts at once, a faster one by the time since the last.
  const auto sample = response_time.count();
  const auto age = std::chrono::duration<double>(now - endpoint.ewma_touched).count();
  const auto keep = std::exp(-age / kEwmaDecaySeconds);
  endpoint.ewma_seconds =
      sample > endpoint.ewma_seconds ? sample : endpoint.ewma_seconds * keep + sample * (1 - keep);
  endpoint.ewma_touched = now;
}

void UpstreamState::report_failure(Endpoint& endpoint, base::SteadyTime now) const {
  if (health_.max_fails == 0) return;
  if (endpoint.fails == 0 || now - endpoint.first_fail > health_.fail_timeout) {
    endpoint.fails = 0;
    endpoint.first_fail = now;
  }
  if (++endpoint.fails < health_.max_fails) return;
  endpoint.fails = 0;
  endpoint.down_until = now + health_.fail_timeout;
}

}  // namespace penstock::upstream
