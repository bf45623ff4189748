#include <algorithm>
#include <cmath>
#include <vector>

#include "proxy/upstream/balance/balancer.h"

namespace penstock::upstream {
namespace {

/// Draws by weight.
class WeightedDraw {
 public:
  explicit WeightedDraw(Random& random) : random_(random) {}

  void reset(std::span<const EndpointPtr> endpoints) {
    sums_.clear();
    std::uint64_t sum = 0;
    for (const auto& each : endpoints) sums_.push_back(sum += each->weight);
  }

  /// Not `other`. Draws again while it meets one that may not be used; where most may not, those
  /// that are left are looked at one by one.
  std::size_t draw(std::span<const EndpointPtr> endpoints, const Balancer::MayUse& may_use,
                   std::size_t other = Balancer::kNone) {
    if (sums_.empty() || sums_.back() == 0) return Balancer::kNone;
    constexpr int kDraws = 4;
    for (int n = 0; n < kDraws; ++n) {
      const auto at = std::ranges::upper_bound(sums_, random_() % sums_.back()) - sums_.begin();
      const auto i = static_cast<std::size_t>(at);
      if (i != other && may_use(i)) return i;
    }
    std::size_t drawn = Balancer::kNone;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const auto weight = endpoints[i]->weight;
      if (weight == 0 || i == other || !may_use(i)) continue;
      sum += weight;
      if (random_() % sum < weight) drawn = i;
    }
    return drawn;
  }

 private:
  Random& random_;
  std::vector<std::uint64_t> sums_;  // of the weights up to each
};

class RandomOne final : public Balancer {
 public:
  explicit RandomOne(Random& random) : draw_(random) {}
  void reset(std::span<const EndpointPtr> endpoints) override { draw_.reset(endpoints); }
  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    return draw_.draw(endpoints, may_use);
  }

 private:
  WeightedDraw draw_;
};

/// Two endpoints at random, of which `is_better` decides: nearly the balance of looking at all,
/// without herding onto one that only just became the best.
template <class IsBetter>
std::size_t best_of_two(WeightedDraw& draw, std::span<const EndpointPtr> endpoints,
                        const Balancer::MayUse& may_use, IsBetter is_better) {
  const auto first = draw.draw(endpoints, may_use);
  if (first == Balancer::kNone) return first;
  const auto second = draw.draw(endpoints, may_use, first);
  if (second == Balancer::kNone) return first;
  return is_better(*endpoints[second], *endpoints[first]) ? second : first;
}

class RandomTwo final : public Balancer {
 public:
  explicit RandomTwo(Random& random) : draw_(random) {}
  void reset(std::span<const EndpointPtr> endpoints) override { draw_.reset(endpoints); }
  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    return best_of_two(draw_, endpoints, may_use, [](const Endpoint& a, const Endpoint& b) {
      return std::uint64_t{a.active} * b.weight < std::uint64_t{b.active} * a.weight;
    });
  }

 private:
  WeightedDraw draw_;
};

/// A response time is worth less the older it is, so that a slow endpoint is asked again; what an
/// endpoint is serving already counts as waiting in front of the next.
double cost_of(const Endpoint& endpoint, base::SteadyTime now) {
  const auto age = std::chrono::duration<double>(now - endpoint.ewma_touched).count();
  return endpoint.ewma_seconds * std::exp(-age / kEwmaDecaySeconds) * (endpoint.active + 1.0);
}

class Ewma final : public Balancer {
 public:
  explicit Ewma(Random& random) : draw_(random) {}
  /// One that has not answered yet begins with the mean of the others: with none it would get all.
  void reset(std::span<const EndpointPtr> endpoints) override {
    draw_.reset(endpoints);
    double sum = 0;
    std::size_t known = 0;
    base::SteadyTime latest;
    for (const auto& each : endpoints) {
      if (each->ewma_touched == base::SteadyTime()) continue;
      sum += each->ewma_seconds;
      ++known;
      latest = std::max(latest, each->ewma_touched);
    }
    if (known == 0) return;
    for (const auto& each : endpoints) {
      if (each->ewma_touched != base::SteadyTime()) continue;
      each->ewma_seconds = sum / static_cast<double>(known);
      each->ewma_touched = latest;
    }
  }
  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput& input,
                   const MayUse& may_use) override {
    return best_of_two(draw_, endpoints, may_use, [&](const Endpoint& a, const Endpoint& b) {
      return cost_of(a, input.now) < cost_of(b, input.now);
    });
  }

 private:
  WeightedDraw draw_;
};

}  // namespace

std::unique_ptr<Balancer> make_random(Random& random) {
  return std::make_unique<RandomOne>(random);
}
std::unique_ptr<Balancer> make_random_two(Random& random) {
  return std::make_unique<RandomTwo>(random);
}
std::unique_ptr<Balancer> make_ewma(Random& random) { return std::make_unique<Ewma>(random); }

}  // namespace penstock::upstream
