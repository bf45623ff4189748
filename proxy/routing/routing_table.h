#pragma once
// What a worker serves from: compiled, immutable, shared by all workers, swapped as a whole. A new
// table shares everything that did not change with the one before.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/persistent_map.h"
#include "proxy/filters/filter.h"
#include "proxy/net/tls_identity.h"
#include "proxy/routing/path_index.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::routing {

struct CompiledRoute {
  const snapshot::Route* route = nullptr;  // inside the CompiledHost's part
  std::uint32_t upstream = 0;              // slot; meaningful where route->upstream is not empty
  std::vector<filters::FilterPtr> filters;
};

struct CompiledHost {
  snapshot::PartPtr part;
  const snapshot::Host* host = nullptr;
  std::vector<CompiledRoute> routes;  // in the part's order
  std::optional<PathIndex> paths;
};

/// An upstream and its endpoints. Routes refer to it by slot, so that neither a pod that comes nor
/// one that goes ever touches a route.
struct CompiledUpstream {
  snapshot::PartPtr upstream_part;
  snapshot::PartPtr endpoints_part;
  const snapshot::Upstream& upstream() const {
    return std::get<snapshot::Upstream>(*upstream_part);
  }
  const snapshot::Endpoints& endpoints() const {
    return std::get<snapshot::Endpoints>(*endpoints_part);
  }
};

class RoutingTable {
 public:
  struct Match {
    const CompiledRoute* route = nullptr;  // null: nothing matches, not even the catch-all
    bool redirects_to_slash = false;
    const CompiledHost* host = nullptr;
  };
  /// `host` is lower case without port or trailing dot; `path` is normalised. A known host whose
  /// paths do not match is not given to the catch-all.
  Match find(std::string_view host, std::string_view path) const;

  /// Exact name, else the wildcard of its first label, else the catch-all; null without any.
  const CompiledHost* find_host(std::string_view host) const;
  /// For a server name in lower case; the default certificate where no host has its own.
  std::shared_ptr<const net::TlsIdentity> identity_for(std::string_view server_name) const;

  /// By the name of its part; null where there is none.
  std::shared_ptr<const net::TlsIdentity> identity(std::string_view certificate) const;

  const CompiledUpstream* upstream(std::uint32_t slot) const;
  std::optional<std::uint32_t> upstream_slot(std::string_view name) const;
  /// TCP and UDP: the name tells which.
  const base::PersistentMap<snapshot::PartPtr>& streams() const { return streams_; }
  const filters::GlobalTexts& texts() const { return texts_; }
  const snapshot::Global& global() const { return std::get<snapshot::Global>(*global_); }
  std::uint64_t version() const { return version_; }
  std::size_t host_count() const { return hosts_.size(); }

 private:
  friend class Compiler;  // and its Build
  static constexpr std::size_t kChunk = 64;
  using Chunk = std::array<std::shared_ptr<const CompiledUpstream>, kChunk>;

  std::uint64_t version_ = 0;
  snapshot::PartPtr global_;
  filters::GlobalTexts texts_;
  base::PersistentMap<std::shared_ptr<const CompiledHost>> hosts_;
  base::PersistentMap<std::shared_ptr<const net::TlsIdentity>> identities_;
  base::PersistentMap<std::uint32_t> slots_;
  base::PersistentMap<snapshot::PartPtr> streams_;
  std::vector<std::shared_ptr<const Chunk>> upstreams_;
};

}  // namespace penstock::routing
