#include "proxy/upstream/balance/balancer.h"

namespace penstock::upstream {
namespace {

/// The fewest active per weight; the search starts at a random place, so equals share the load.
class LeastConnections final : public Balancer {
 public:
  explicit LeastConnections(Random& random) : random_(random) {}

  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput&,
                   const MayUse& may_use) override {
    if (endpoints.empty()) return kNone;
    const auto start = random_() % endpoints.size();
    std::size_t best = kNone;
    for (std::size_t n = 0; n < endpoints.size(); ++n) {
      const auto i = (start + n) % endpoints.size();
      const auto& endpoint = *endpoints[i];
      if (endpoint.weight == 0 || !may_use(i)) continue;
      // active/weight compared without division.
      if (best == kNone || std::uint64_t{endpoint.active} * endpoints[best]->weight <
                               std::uint64_t{endpoints[best]->active} * endpoint.weight) {
        best = i;
      }
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
