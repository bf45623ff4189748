#include "proxy/upstream/upstream_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "proxy/base/ip_net.h"
#include "proxy/upstream/health_name.h"

namespace penstock::upstream {

void UpstreamState::reconcile(const snapshot::Upstream& upstream,
                              const snapshot::Endpoints& endpoints, base::HealthTable* health) {
  std::vector<EndpointPtr> next;
  bool is_changed = false;
  for (const auto& wanted : endpoints.endpoints) {
    const auto address = base::parse_address(wanted.address);
    if (!address) continue;
    const base::TcpEndpoint key(*address, wanted.port);
    const auto known = std::ranges::find(all_, key, [](const auto& e) { return e->address; });
    if (known != all_.end()) {
      is_changed |= (*known)->weight != wanted.weight;
      (*known)->weight = wanted.weight;
      next.push_back(*known);
      continue;
    }
    auto fresh = std::make_shared<Endpoint>();
    fresh->address = key;
    fresh->text = base::format_endpoint(*address, wanted.port);
    fresh->weight = wanted.weight;
    fresh->series = series_;
    // The first endpoints have nobody to leave their share to.
    if (!all_.empty()) fresh->ramp = upstream.balancing.slow_start;
    next.push_back(std::move(fresh));
  }
  for (const auto& old : all_) {
    if (std::ranges::find(next, old) == next.end()) old->is_retired = true;
  }
  all_ = std::move(next);
  is_changed |= select();
  health_ = upstream.passive_health;
  watch_health(upstream.health_check, health);
  if (balancing_ != upstream.balancing) {
    balancing_ = upstream.balancing;
    balancer_ = make_balancer(*balancing_, random_);
    is_changed = true;
  }
  if (is_changed) balancer_->reset(endpoints_);
}

void UpstreamState::watch_health(const snapshot::HealthCheck& check, base::HealthTable* health) {
  const bool is_wanted = check.type != snapshot::ProbeType::kNone && health != nullptr;
  const bool is_same = health_check_ == check;
  health_check_ = check;
  if (!is_wanted && is_same) return;
  for (const auto& each : all_) {
    if (is_wanted && is_same && each->health) continue;
    each->health = is_wanted ? health->of(health_name(each->address, check)) : nullptr;
  }
}

bool UpstreamState::select() {
  std::vector<EndpointPtr> next;
  next.reserve(all_.size());
  std::ranges::copy_if(all_, std::back_inserter(next),
                       [&](const auto& each) { return !is_drained(*each); });
  if (next == endpoints_) return false;
  endpoints_ = std::move(next);
  return true;
}

void UpstreamState::set_drained(std::set<std::string> texts) {
  if (drained_ == texts) return;
  drained_ = std::move(texts);
  if (select() && balancer_) balancer_->reset(endpoints_);
}

void UpstreamState::retire() {
  for (const auto& endpoint : all_) endpoint->is_retired = true;
  all_.clear();
  endpoints_.clear();
}

bool UpstreamState::has_up(base::SteadyTime now) const {
  return std::ranges::any_of(endpoints_, [&](const auto& each) { return each->is_up(now); });
}

bool UpstreamState::is_panicking(base::SteadyTime now) const {
  constexpr std::size_t kWhole = 100;
  const auto up = static_cast<std::size_t>(
      std::ranges::count_if(endpoints_, [&](const auto& each) { return each->is_up(now); }));
  return up * kWhole < endpoints_.size() * balancing_->panic_percent;
}

/// False for the part of its share that an endpoint must not have yet.
bool UpstreamState::may_take(Endpoint& endpoint, base::SteadyTime now) {
  if (std::exchange(endpoint.was_down, false)) {
    endpoint.ramp = balancing_->slow_start;
    endpoint.ramp_from = now;
  }
  if (endpoint.ramp.count() == 0) return true;
  if (endpoint.ramp_from == base::SteadyTime()) endpoint.ramp_from = now;
  const auto share = std::chrono::duration<double>(now - endpoint.ramp_from) /
                     std::chrono::duration<double>(endpoint.ramp);
  if (share >= 1) endpoint.ramp = base::Duration(0);
  return share >= 1 || static_cast<double>(random_()) < share * static_cast<double>(Random::max());
}

std::optional<Lease> UpstreamState::pick(const PickInput& input,
                                         const std::vector<EndpointPtr>& tried) {
  if (endpoints_.empty()) return std::nullopt;
  const auto is_untried = [&](std::size_t i) {
    return std::ranges::find(tried, endpoints_[i]) == tried.end();
  };
  const auto is_up_and_untried = [&](std::size_t i) {
    auto& endpoint = *endpoints_[i];
    if (endpoint.is_up(input.now)) return is_untried(i);
    endpoint.was_down |= endpoint.health && endpoint.health->get() == base::Health::kDown;
    return false;
  };
  auto index = Balancer::kNone;
  if (balancing_->panic_percent == 0 || !is_panicking(input.now)) {
    index = balancer_->pick(endpoints_, input, is_up_and_untried);
    if (index != Balancer::kNone && !is_hashing() && !may_take(*endpoints_[index], input.now)) {
      const auto another = [&](std::size_t i) { return i != index && is_up_and_untried(i); };
      const auto instead = balancer_->pick(endpoints_, input, another);
      if (instead != Balancer::kNone) index = instead;
    }
  }
  if (index == Balancer::kNone) index = balancer_->pick(endpoints_, input, is_untried);
  const auto any = [](std::size_t) { return true; };
  if (index == Balancer::kNone) index = balancer_->pick(endpoints_, input, any);
  return index == Balancer::kNone ? std::nullopt
                                  : std::optional<Lease>(std::in_place, endpoints_[index]);
}

EndpointPtr UpstreamState::find(const base::TcpEndpoint& address) const {
  const auto found = std::ranges::find(all_, address, [](const auto& e) { return e->address; });
  return found == all_.end() ? nullptr : *found;
}

void UpstreamState::report_success(Endpoint& endpoint, std::chrono::duration<double> response_time,
                                   base::SteadyTime now) const {
  endpoint.fails = 0;
  ++endpoint.answers;
  endpoint.answer_seconds += response_time.count();
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
  ++endpoint.failures;
  if (health_.max_fails == 0) return;
  if (endpoint.fails == 0 || now - endpoint.first_fail > health_.fail_timeout) {
    endpoint.fails = 0;
    endpoint.first_fail = now;
  }
  if (++endpoint.fails < health_.max_fails) return;
  endpoint.fails = 0;
  endpoint.down_until = now + health_.fail_timeout;
  if (!health_.recovers_slowly) return;
  endpoint.ramp_from = endpoint.down_until;
  endpoint.ramp = health_.fail_timeout;
}

}  // namespace penstock::upstream
