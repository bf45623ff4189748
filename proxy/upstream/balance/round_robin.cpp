#include "proxy/upstream/balance/balancer.h"

namespace penstock::upstream {
namespace {

/// nginx's smooth weighted round robin: each pick everybody gains its weight, the highest is taken
/// and pays the total. Weights 5,1,1 give a a b a c a a.
class RoundRobin final : public Balancer {
 public:
  explicit RoundRobin(Random& random) : random_(random) {}

  void reset(std::span<const EndpointPtr> endpoints) override {
    // Workers start at random places, or all would send their first request to the same endpoint.
    for (const auto& endpoint : endpoints) {
      endpoint->smooth = static_cast<std::int64_t>(random_() % (endpoint->weight + 1U));
    }
  }

  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    std::int64_t total = 0;
    std::size_t best = kNone;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      auto& endpoint = *endpoints[i];
      if (endpoint.weight == 0 || !may_use(i)) continue;
      endpoint.smooth += endpoint.weight;
      total += endpoint.weight;
      if (best == kNone || endpoint.smooth > endpoints[best]->smooth) best = i;
    }
    if (best != kNone) endpoints[best]->smooth -= total;
    return best;
  }

 private:
  Random& random_;
};

}  // namespace

std::unique_ptr<Balancer> make_round_robin(Random& random) {
  return std::make_unique<RoundRobin>(random);
}

}  // namespace penstock::upstream
