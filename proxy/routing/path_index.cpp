#include "proxy/routing/path_index.h"

#include <algorithm>

namespace penstock::routing {

PathIndex::PathIndex(const std::vector<snapshot::Route>& routes) : nodes_(1) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    auto& node = nodes_[insert(routes[i].path)];
    auto& place = routes[i].match == snapshot::PathMatch::kExact ? node.exact : node.prefix;
    if (place == kNone) place = static_cast<std::uint32_t>(i);
  }
  nodes_.shrink_to_fit();
  labels_.shrink_to_fit();
}

std::uint32_t PathIndex::child_of(std::uint32_t node, char first) const {
  auto child = nodes_[node].child;
  while (child != kNone && labels_[nodes_[child].label] != first) child = nodes_[child].sibling;
  return child;
}

/// Cuts the node's label after `at` bytes: the node keeps the front, a new child gets all else.
void PathIndex::split(std::uint32_t node, std::uint32_t at) {
  const auto below = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back(nodes_[node]);
  nodes_[below].label += at;
  nodes_[below].size -= at;
  nodes_[below].sibling = kNone;
  auto& front = nodes_[node];
  front.size = at;
  front.child = below;
  front.exact = front.prefix = kNone;
}

std::uint32_t PathIndex::insert(std::string_view path) {
  std::uint32_t node = 0;
  while (!path.empty()) {
    const auto child = child_of(node, path.front());
    if (child == kNone) {
      Node leaf;
      leaf.label = static_cast<std::uint32_t>(labels_.size());
      leaf.size = static_cast<std::uint32_t>(path.size());
      leaf.sibling = nodes_[node].child;
      labels_ += path;
      nodes_[node].child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back(leaf);
      return nodes_[node].child;
    }
    const auto label = label_of(nodes_[child]);
    const auto common =
        static_cast<std::size_t>(std::ranges::mismatch(label, path).in1 - label.begin());
    if (common < label.size()) split(child, static_cast<std::uint32_t>(common));
    path.remove_prefix(common);
    node = child;
  }
  return node;
}

std::optional<PathIndex::Match> PathIndex::find(std::string_view path) const {
  std::uint32_t best = kNone;
  std::uint32_t redirect = kNone;
  std::uint32_t node = 0;
  std::size_t walked = 0;
  for (;;) {
    const auto& here = nodes_[node];
    if (walked == path.size()) {
      if (here.exact != kNone) return Match{here.exact, false};
      if (here.prefix != kNone) return Match{here.prefix, false};
    } else if (here.prefix != kNone && (path[walked] == '/' || path[walked - 1] == '/')) {
      best = here.prefix;  // ends where an element of the path ends
    }
    const auto rest = path.substr(walked);
    const auto child = child_of(node, rest.empty() ? '/' : rest.front());
    if (child == kNone) break;
    const auto label = label_of(nodes_[child]);
    if (!rest.starts_with(label)) {
      // All of the path is there, and only a slash is missing.
      const bool lacks_slash = label.size() == rest.size() + 1 && label.ends_with('/') &&
                               label.starts_with(rest) && !path.ends_with('/');
      if (lacks_slash) redirect = nodes_[child].prefix;
      break;
    }
    walked += label.size();
    node = child;
  }
  if (redirect != kNone) return Match{redirect, true};
  return best == kNone ? std::nullopt : std::optional(Match{best, false});
}

}  // namespace penstock::routing
