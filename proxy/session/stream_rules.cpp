#include "proxy/session/stream_rules.h"

#include <algorithm>

namespace penstock::session {
namespace {

bool contains(const std::vector<base::IpNet>& nets, const base::Address& address) {
  return std::ranges::any_of(nets, [&](const base::IpNet& net) { return net.contains(address); });
}

const upstream::UpstreamState* state_of(const WorkerParts& worker,
                                        const snapshot::StreamBackend& backend) {
  const auto slot = worker.table->upstream_slot(backend.upstream);
  return slot ? worker.upstream(*slot) : nullptr;
}

}  // namespace

bool admits(const snapshot::IpAccess& access, const base::Address& client) {
  if (contains(access.denied, client)) return false;
  return access.allowed.empty() || contains(access.allowed, client);
}

const snapshot::StreamBackend* choose_backend(WorkerParts& worker,
                                              std::span<const snapshot::StreamBackend> backends,
                                              std::uint64_t key) {
  if (backends.size() == 1) return backends.front().weight > 0 ? &backends.front() : nullptr;
  const auto now = worker.clock.now();
  std::uint64_t up = 0;
  std::uint64_t all = 0;
  bool is_hashing = false;
  const auto is_up = [&](const snapshot::StreamBackend& backend) {
    const auto* state = state_of(worker, backend);
    return state != nullptr && state->has_up(now);
  };
  for (const auto& backend : backends) {
    const auto* state = state_of(worker, backend);
    is_hashing |= state != nullptr && state->is_hashing();
    all += backend.weight;
    if (is_up(backend)) up += backend.weight;
  }
  if (all == 0) return nullptr;
  auto drawn = (is_hashing ? key : std::uint64_t{worker.random()}) % (up > 0 ? up : all);
  for (const auto& backend : backends) {
    if (up > 0 && !is_up(backend)) continue;
    if (drawn < backend.weight) return &backend;
    drawn -= backend.weight;
  }
  return nullptr;
}

}  // namespace penstock::session
