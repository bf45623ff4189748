#include <algorithm>
#include <string>
#include <vector>

#include "proxy/base/text.h"
#include "proxy/upstream/balance/balancer.h"

namespace penstock::upstream {
namespace {

/// Spreads the bits of an FNV hash, whose high bits are weak on short texts (splitmix64's mixer).
constexpr std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9ULL;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

/// Ketama: every endpoint owns points on a ring; a key belongs to the next point. Adding one of N
/// endpoints moves about 1/N of the keys. With a bound (Mirrokni, Thorup, Zadimoghaddam: Consistent
/// Hashing with Bounded Loads) an endpoint that has its share passes a key on to the next point.
class ConsistentHash final : public Balancer {
 public:
  ConsistentHash(bool whole_address, std::uint32_t bounded_load_percent)
      : whole_address_(whole_address), bounded_load_percent_(bounded_load_percent) {}

  void reset(std::span<const EndpointPtr> endpoints) override {
    ring_.clear();
    std::uint64_t heaviest = 0;
    for (const auto& each : endpoints) heaviest = std::max<std::uint64_t>(heaviest, each->weight);
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const auto points = points_of(endpoints[i]->weight, heaviest);
      const auto seed = base::fnv1a(endpoints[i]->text);
      for (std::uint64_t point = 0; point < points; ++point) {
        ring_.push_back({mixed(seed + point * 0x9e3779b97f4a7c15ULL), i});
      }
    }
    std::ranges::sort(ring_, {}, &Point::at);
  }

  std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput& input,
                   const MayUse& may_use) override {
    if (ring_.empty()) return kNone;
    const auto key =
        mixed(whole_address_ && input.key ? *input.key : source_key(input.client, whole_address_));
    if (bounded_load_percent_ == 0) return next_point(key, may_use);
    const Load load(endpoints, may_use, bounded_load_percent_);
    const auto has_room = [&](std::size_t i) { return may_use(i) && load.has_room(*endpoints[i]); };
    return next_point(key, has_room);
  }

 private:
  static constexpr std::uint64_t kPointsPerWeight = 160;
  static constexpr std::uint64_t kMaxWeight = 64;
  struct Point {
    std::uint64_t at;
    std::size_t endpoint;
  };

  /// What is served now, with the one that is to be placed, by those that may be used.
  class Load {
   public:
    Load(std::span<const EndpointPtr> endpoints, const MayUse& may_use, std::uint32_t percent)
        : percent_(percent) {
      for (std::size_t i = 0; i < endpoints.size(); ++i) {
        if (!may_use(i)) continue;
        active_ += endpoints[i]->active;
        weight_ += endpoints[i]->weight;
      }
    }
    /// One endpoint at least has: the one with the least of its share.
    bool has_room(const Endpoint& endpoint) const {
      constexpr std::uint64_t kWhole = 100;
      const auto bound = (active_ * endpoint.weight * percent_ + weight_ * kWhole - 1) /
                         std::max<std::uint64_t>(1, weight_ * kWhole);  // rounded up
      return endpoint.active < bound;
    }

   private:
    std::uint64_t percent_;
    std::uint64_t active_ = 1;
    std::uint64_t weight_ = 0;
  };

  /// Large weights are scaled down: that bounds the ring and keeps the shares.
  static std::uint64_t points_of(std::uint64_t weight, std::uint64_t heaviest) {
    if (weight == 0) return 0;
    if (heaviest <= kMaxWeight) return kPointsPerWeight * weight;
    return std::max<std::uint64_t>(1, kPointsPerWeight * kMaxWeight * weight / heaviest);
  }

  std::size_t next_point(std::uint64_t key, const MayUse& may_use) const {
    const auto first = std::ranges::lower_bound(ring_, key, {}, &Point::at) - ring_.begin();
    for (std::size_t n = 0; n < ring_.size(); ++n) {
      const auto& point = ring_[(static_cast<std::size_t>(first) + n) % ring_.size()];
      if (may_use(point.endpoint)) return point.endpoint;
    }
    return kNone;
  }

  bool whole_address_;
  std::uint32_t bounded_load_percent_;
  std::vector<Point> ring_;
};

}  // namespace

std::unique_ptr<Balancer> make_source_ip_hash(std::uint32_t bounded_load_percent) {
  return std::make_unique<ConsistentHash>(false, bounded_load_percent);
}
std::unique_ptr<Balancer> make_consistent_hash(std::uint32_t bounded_load_percent) {
  return std::make_unique<ConsistentHash>(true, bounded_load_percent);
}

}  // namespace penstock::upstream
