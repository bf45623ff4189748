#pragma once
// The routes of one host by path (docs/reference: Exact first, then the longest prefix by path
// element), as a compressed trie: a lookup walks the path once, compares each byte at most once and
// allocates nothing, however many routes there are. Immutable.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);

  /// A text that begins some routes' paths: its parent's text and its label. Siblings begin with
  /// different bytes.
  struct Node {
    std::uint32_t label = 0;  // offset into labels_
    std::uint32_t size = 0;
    std::uint32_t child = kNone;  // the first one
    std::uint32_t sibling = kNone;
    std::uint32_t exact = kNone;  // routes whose path is this text
    std::uint32_t prefix = kNone;
  };

  std::uint32_t insert(std::string_view path);
  void split(std::uint32_t node, std::uint32_t at);
  std::uint32_t child_of(std::uint32_t node, char first) const;
  std::string_view label_of(const Node& node) const {
    return {labels_.data() + node.label, node.size};
  }

  std::vector<Node> nodes_;  // the first is the root, with an empty label
  std::string labels_;
};

}  // namespace penstock::routing
