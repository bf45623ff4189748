#include "proxy/routing/path_index.h"

#include <algorithm>
#include <array>

namespace penstock::routing {

PathIndex::PathIndex(const std::vector<snapshot::Route>& routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    auto& entry = entries_[routes[i].path];
    auto& place = routes[i].match == snapshot::PathMatch::kExact ? entry.exact : entry.prefix;
    if (!place) place = i;
    longest_ = std::max(longest_, routes[i].path.size());
  }
}

const PathIndex::Entry* PathIndex::entry(std::string_view path) const {
  if (path.size() > longest_) return nullptr;
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

std::optional<PathIndex::Match> PathIndex::find(std::string_view path) const {
  if (const auto* whole = entry(path); whole != nullptr) {
    if (whole->exact) return Match{*whole->exact, false};
    if (whole->prefix) return Match{*whole->prefix, false};
  }
  if (!path.ends_with('/') && path.size() < longest_) {
    // Only a path that a route could equal gets here, so the copy is short and rare.
    const auto* below = entry(std::string(path) + '/');
    if (below != nullptr && below->prefix) return Match{*below->prefix, true};
  }
  for (auto cut = std::min(path.size(), longest_ + 1); cut > 0; --cut) {
    if (path[cut - 1] != '/') continue;
    const auto with_slash = path.substr(0, cut);
    if (const auto* found = entry(with_slash); found != nullptr && found->prefix) {
      return Match{*found->prefix, false};
    }
    if (cut == 1) break;
    const auto* found = entry(with_slash.substr(0, cut - 1));
    if (found != nullptr && found->prefix) return Match{*found->prefix, false};
  }
  return std::nullopt;
}

}  // namespace penstock::routing
