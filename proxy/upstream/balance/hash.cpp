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
/// endpoints moves about 1/N of the keys.
class ConsistentHash final : public Balancer {
 public:
  explicit ConsistentHash(bool whole_address) : whole_address_(whole_address) {}

  void reset(std::span<const EndpointPtr> endpoints) override {
    ring_.clear();
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const auto points = kPointsPerWeight * std::min(endpoints[i]->weight, kMaxWeight);
      const auto seed = base::fnv1a(endpoints[i]->text);
      for (std::uint32_t point = 0; point < points; ++point) {
        ring_.push_back({mixed(seed + point * 0x9e3779b97f4a7c15ULL), i});
      }
    }
    std::ranges::sort(ring_, {}, &Point::at);
  }

  std::size_t pick(std::span<const EndpointPtr>, const PickInput& input,
                   const MayUse& may_use) override {
    if (ring_.empty()) return kNone;
    const auto key =
        mixed(whole_address_ && input.key ? *input.key : source_key(input.client, whole_address_));
    const auto first = std::ranges::lower_bound(ring_, key, {}, &Point::at) - ring_.begin();
    for (std::size_t n = 0; n < ring_.size(); ++n) {
      const auto& point = ring_[(static_cast<std::size_t>(first) + n) % ring_.size()];
      if (may_use(point.endpoint)) return point.endpoint;
    }
    return kNone;
  }

 private:
  static constexpr std::uint32_t kPointsPerWeight = 160;
  static constexpr std::uint32_t kMaxWeight = 64;  // bounds the ring, not the share
  struct Point {
    std::uint64_t at;
    std::size_t endpoint;
  };
  bool whole_address_;
  std::vector<Point> ring_;
};

}  // namespace

std::unique_ptr<Balancer> make_source_ip_hash() { return std::make_unique<ConsistentHash>(false); }
std::unique_ptr<Balancer> make_consistent_hash() { return std::make_unique<ConsistentHash>(true); }

}  // namespace penstock::upstream
