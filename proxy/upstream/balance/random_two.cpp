#include "proxy/upstream/balance/balancer.h"

namespace penstock::upstream {
namespace {

/// Two endpoints at random, of which `is_better` decides: nearly the balance of looking at all,
/// without herding onto one that only just became the best.
template <class IsBetter>
std::size_t best_of_two(std::span<const EndpointPtr> endpoints, const Balancer::MayUse& may_use,
                        Random& random, IsBetter is_better) {
  if (endpoints.empty()) return Balancer::kNone;
  const auto draw = [&](std::size_t other) {
    const auto start = random() % endpoints.size();
    for (std::size_t n = 0; n < endpoints.size(); ++n) {
      const auto i = (start + n) % endpoints.size();
      if (i != other && endpoints[i]->weight > 0 && may_use(i)) return i;
    }
    return Balancer::kNone;
  };
  const auto first = draw(Balancer::kNone);
  if (first == Balancer::kNone) return first;
  const auto second = draw(first);
  if (second == Balancer::kNone) return first;
  return is_better(*endpoints[second], *endpoints[first]) ? second : first;
}

class RandomTwo final : public Balancer {
 public:
  explicit RandomTwo(Random& random) : random_(random) {}
  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    return best_of_two(endpoints, may_use, random_, [](const Endpoint& a, const Endpoint& b) {
      return std::uint64_t{a.active} * b.weight < std::uint64_t{b.active} * a.weight;
    });
  }

 private:
  Random& random_;
};

class Ewma final : public Balancer {
 public:
  explicit Ewma(Random& random) : random_(random) {}
  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    return best_of_two(endpoints, may_use, random_, [](const Endpoint& a, const Endpoint& b) {
      return a.ewma_seconds < b.ewma_seconds;
    });
  }

 private:
  Random& random_;
};

}  // namespace

std::unique_ptr<Balancer> make_random_two(Random& random) {
  return std::make_unique<RandomTwo>(random);
}
std::unique_ptr<Balancer> make_ewma(Random& random) { return std::make_unique<Ewma>(random); }

}  // namespace penstock::upstream
