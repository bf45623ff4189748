#pragma once
// How one endpoint of an upstream is chosen: one set of algorithms for HTTP and streams. State is
// per worker. Endpoints that failed this request already, and those that are down, are left out by
// the caller's `may_use`.
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/function_ref.h"
#include "proxy/snapshot/policy/balancing.h"
#include "proxy/upstream/endpoint.h"

namespace penstock::upstream {

struct PickInput {
  base::Address client;
  base::SteadyTime now;
  /// What `hash` hashes instead of the client address.
  std::optional<std::uint64_t> key = std::nullopt;
};

class Balancer {
 public:
  using MayUse = base::FunctionRef<bool(std::size_t index)>;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  virtual ~Balancer() = default;
  /// Called whenever the set of endpoints or a weight has changed.
  virtual void reset(std::span<const EndpointPtr>) {}
  /// An index into `endpoints` for which `may_use` holds, or kNone.
  virtual std::size_t pick(std::span<const EndpointPtr> endpoints, const PickInput& input,
                           const MayUse& may_use) = 0;
};

using Random = std::minstd_rand;

/// `random` must outlive the balancer.
std::unique_ptr<Balancer> make_balancer(const snapshot::Balancing& balancing, Random& random);

std::unique_ptr<Balancer> make_round_robin(Random& random);
std::unique_ptr<Balancer> make_least_connections(Random& random);
std::unique_ptr<Balancer> make_source_ip_hash(std::uint32_t bounded_load_percent);
std::unique_ptr<Balancer> make_consistent_hash(std::uint32_t bounded_load_percent);
std::unique_ptr<Balancer> make_random(Random& random);
std::unique_ptr<Balancer> make_random_two(Random& random);
std::unique_ptr<Balancer> make_ewma(Random& random);

/// What chooses by a key, so that a client finds its endpoint again.
constexpr bool is_hashing(snapshot::Algorithm algorithm) {
  return algorithm == snapshot::Algorithm::kHash || algorithm == snapshot::Algorithm::kSourceIpHash;
}

/// The client as a hash key: nginx ip_hash takes the first three octets of IPv4, all of IPv6.
std::uint64_t source_key(const base::Address& client, bool whole_address);
/// The same with the client's port.
std::uint64_t source_key(const base::Address& client, std::uint16_t port);

}  // namespace penstock::upstream
