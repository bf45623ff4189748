#include "proxy/upstream/balance/balancer.h"

namespace penstock::upstream {
namespace {

/// The fewest active per weight; equals share by their weights, so that an idle upstream, too, is
/// used by weight.
class LeastConnections final : public Balancer {
 public:
  explicit LeastConnections(Random& random) : random_(random) {}

  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    std::size_t best = kNone;
    std::uint64_t equal_weight = 0;  // of all that are as good as the best
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const auto& endpoint = *endpoints[i];
      if (endpoint.weight == 0 || !may_use(i)) continue;
      // active/weight compared without division.
      const auto mine =
          best == kNone ? 0 : std::uint64_t{endpoint.active} * endpoints[best]->weight;
      const auto its = best == kNone ? 1 : std::uint64_t{endpoints[best]->active} * endpoint.weight;
      if (mine > its) continue;
      equal_weight = mine < its ? endpoint.weight : equal_weight + endpoint.weight;
      // Each of the equals is chosen with the chance of its weight (a reservoir of one).
      if (mine < its || random_() % equal_weight < endpoint.weight) best = i;
    }
    return best;
  }

 private:
  Random& random_;
};

}  // namespace

std::unique_ptr<Balancer> make_least_connections(Random& random) {
  return std::make_unique<LeastConnections>(random);
}

}  // namespace penstock::upstream
