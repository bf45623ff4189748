#include "proxy/upstream/balance/balancer.h"

#include <string_view>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::upstream {

std::unique_ptr<Balancer> make_balancer(const snapshot::Balancing& balancing, Random& random) {
  switch (balancing.algorithm) {
    case snapshot::Algorithm::kRoundRobin:
      return make_round_robin(random);
    case snapshot::Algorithm::kLeastConnections:
      return make_least_connections(random);
    case snapshot::Algorithm::kSourceIpHash:
      return make_source_ip_hash(balancing.bounded_load_percent);
    case snapshot::Algorithm::kHash:
      return make_consistent_hash(balancing.bounded_load_percent);
    case snapshot::Algorithm::kRandomTwo:
      return make_random_two(random);
    case snapshot::Algorithm::kEwma:
      return make_ewma(random);
    case snapshot::Algorithm::kRandom:
      return make_random(random);
  }
  return make_round_robin(random);
}

std::uint64_t source_key(const base::Address& client, bool whole_address) {
  const auto plain = base::unmapped(client);
  const auto hash = [](const auto& bytes, std::size_t size) {
    return base::fnv1a(std::string_view(reinterpret_cast<const char*>(bytes.data()), size));
  };
  if (plain.is_v4()) return hash(plain.to_v4().to_bytes(), whole_address ? 4 : 3);
  return hash(plain.to_v6().to_bytes(), 16);
}

std::uint64_t source_key(const base::Address& client, std::uint16_t port) {
  return source_key(client, true) ^ (port * 0x9e3779b97f4a7c15ULL);
}

}  // namespace penstock::upstream
