#include "proxy/session/stream_rules.h"

#include <algorithm>

namespace penstock::session {
namespace {

using snapshot::StreamBackend;

/// How closely names fit: 0 not at all, more the more is said; one that is named in full fits best.
std::size_t closeness(const std::vector<std::string>& names, std::string_view name) {
  if (names.empty()) return 1;
  std::size_t best = 0;
  for (const std::string_view each : names) {
    if (each == name) return std::string_view::npos;
    const bool fits =
        each.starts_with("*.") && name.size() > each.size() - 1 && name.ends_with(each.substr(1));
    if (fits) best = std::max(best, each.size());
  }
  return best;
}

bool offers_one(const std::vector<std::string>& protocols, const net::ClientHello& hello) {
  return protocols.empty() || std::ranges::any_of(protocols, [&](const std::string& each) {
           return hello.offers(each);
         });
}

const upstream::UpstreamState* state_of(const WorkerParts& worker, const StreamBackend& backend) {
  const auto slot = worker.table->upstream_slot(backend.upstream);
  return slot ? worker.upstream(*slot) : nullptr;
}

/// Nothing where it is full.
std::optional<SessionPass> enter_backend(WorkerParts& worker, const StreamBackend& backend) {
  if (backend.max_sessions == 0) return SessionPass();
  return SessionPass::enter(worker.limits.of("backend/" + backend.upstream), backend.max_sessions);
}

/// The backends of one kind that may be drawn now.
class Draw {
 public:
  Draw(WorkerParts& worker, std::span<const StreamBackend> backends, std::uint64_t key,
       const StreamBackend* except)
      : worker_(worker), backends_(backends), key_(key), except_(except) {}

  /// Until one has room: a full one is left out and the draw repeated.
  BackendChoice draw(bool is_backup, bool must_be_up) {
    full_.clear();
    for (;;) {
      const auto* backend = draw_once(is_backup, must_be_up);
      if (backend == nullptr) return {};
      if (auto pass = enter_backend(worker_, *backend)) return {backend, std::move(*pass)};
      full_.push_back(backend);
    }
  }

 private:
  bool may_be(const StreamBackend& backend, bool is_backup, bool must_be_up) const {
    if (backend.is_backup != is_backup || &backend == except_) return false;
    if (std::ranges::find(full_, &backend) != full_.end()) return false;
    if (!must_be_up) return true;
    const auto* state = state_of(worker_, backend);
    return state != nullptr && state->has_up(worker_.clock.now());
  }

  const StreamBackend* draw_once(bool is_backup, bool must_be_up) {
    std::uint64_t total = 0;
    bool is_hashing = false;
    for (const auto& backend : backends_) {
      if (!may_be(backend, is_backup, must_be_up)) continue;
      total += backend.weight;
      const auto* state = state_of(worker_, backend);
      is_hashing |= state != nullptr && state->is_hashing();
    }
    if (total == 0) return nullptr;
    auto drawn = (is_hashing ? key_ : std::uint64_t{worker_.random()}) % total;
    for (const auto& backend : backends_) {
      if (!may_be(backend, is_backup, must_be_up)) continue;
      if (drawn < backend.weight) return &backend;
      drawn -= backend.weight;
    }
    return nullptr;
  }

  WorkerParts& worker_;
  std::span<const StreamBackend> backends_;
  std::uint64_t key_;
  const StreamBackend* except_;
  std::vector<const StreamBackend*> full_;
};

}  // namespace

bool admits(const snapshot::IpAccess& access, const base::Address& client) {
  if (base::contains(access.denied, client)) return false;
  return access.allowed.empty() || base::contains(access.allowed, client);
}

const snapshot::StreamRule* choose_rule(std::span<const snapshot::StreamRule> rules,
                                        const base::Address& client,
                                        const net::ClientHello& hello) {
  const snapshot::StreamRule* chosen = nullptr;
  std::size_t best = 0;
  for (const auto& rule : rules) {
    if (!rule.source_networks.empty() && !base::contains(rule.source_networks, client)) continue;
    if (!offers_one(rule.protocols, hello)) continue;
    const auto close = closeness(rule.server_names, hello.server_name);
    if (close <= best) continue;
    best = close;
    chosen = &rule;
  }
  return chosen;
}

BackendChoice choose_backend(WorkerParts& worker, std::span<const StreamBackend> backends,
                             std::uint64_t key, const StreamBackend* except) {
  Draw draw(worker, backends, key, except);
  for (const bool must_be_up : {true, false}) {
    for (const bool is_backup : {false, true}) {
      auto choice = draw.draw(is_backup, must_be_up);
      if (choice.backend != nullptr) return choice;
    }
  }
  return {};
}

KnownEndpoint choose_known(WorkerParts& worker, std::span<const StreamBackend> backends,
                           const base::TcpEndpoint& address) {
  for (const auto& backend : backends) {
    const auto* state = state_of(worker, backend);
    auto endpoint = state == nullptr ? nullptr : state->find(address);
    if (endpoint == nullptr) continue;
    auto pass = enter_backend(worker, backend);
    if (pass) return {{&backend, std::move(*pass)}, std::move(endpoint)};
  }
  return {};
}

}  // namespace penstock::session
