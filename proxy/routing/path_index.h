#pragma once
// The routes of one host by path (docs/reference: Exact first, then the longest prefix by path
// element). Immutable; a lookup allocates nothing.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/base/persistent_map.h"
#include "proxy/snapshot/route.h"

namespace penstock::routing {

class PathIndex {
 public:
  /// `routes` are those of a snapshot::Host; results are indexes into them.
  explicit PathIndex(const std::vector<snapshot::Route>& routes);

  struct Match {
    std::size_t route = 0;
    bool redirects_to_slash = false;  // "/foo" where only the prefix "/foo/" is known: 301
  };
  /// `path` is normalised and starts with '/'.
  std::optional<Match> find(std::string_view path) const;

 private:
  struct Entry {
    std::optional<std::size_t> exact;
    std::optional<std::size_t> prefix;
  };
  const Entry* entry(std::string_view path) const;

  std::unordered_map<std::string, Entry, base::TextHash, std::equal_to<>> entries_;
  std::size_t longest_ = 0;  // no longer prefix is worth hashing
};

}  // namespace penstock::routing
