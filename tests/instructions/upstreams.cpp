// The choice of an endpoint, and of a connection to it.
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "proxy/upstream/pool.h"
#include "proxy/upstream/upstream_state.h"
#include "tests/instructions/collect.h"
#include "tests/instructions/paths.h"

namespace penstock::instructions {
namespace {

void pick(int times, snapshot::Algorithm algorithm, std::size_t endpoints) {
  upstream::Random random(1);
  upstream::UpstreamState state(random);
  snapshot::Upstream upstream;
  upstream.balancing.algorithm = algorithm;
  snapshot::Endpoints all;
  for (std::size_t i = 0; i < endpoints; ++i) {
    all.endpoints.push_back({fmt::format("10.0.0.{}", i + 1), 8080, 1});
  }
  state.reconcile(upstream, all);
  std::vector<upstream::PickInput> inputs;
  for (int i = 0; i < 100; ++i) {
    inputs.push_back({asio::ip::make_address(fmt::format("192.0.2.{}", i)), {}});
  }
  auto next = inputs.begin();
  measure(times, [&] {
    keep(state.pick(*next, {}));
    if (++next == inputs.end()) next = inputs.begin();
  });
}

struct QuietConnection final : upstream::IdleConnection {
  using IdleConnection::IdleConnection;
  bool is_quiet() override { return true; }
};

}  // namespace

void pick_round_robin(int times) { pick(times, snapshot::Algorithm::kRoundRobin, 3); }

void pick_least_connections(int times) { pick(times, snapshot::Algorithm::kLeastConnections, 10); }

void pick_consistent_hash(int times) { pick(times, snapshot::Algorithm::kHash, 10); }

void keep_and_take(int times) {
  const base::SteadyTime now{std::chrono::seconds(1'000)};
  const auto endpoint = std::make_shared<upstream::Endpoint>();
  upstream::IdlePool<QuietConnection> pool;
  for (int i = 0; i < 10; ++i) pool.put(endpoint, 0, std::make_unique<QuietConnection>(now), now);
  measure(times, [&] { pool.put(endpoint, 0, pool.take(*endpoint, 0, now), now); });
}

}  // namespace penstock::instructions
