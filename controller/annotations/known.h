#pragma once
// Every annotation of ingress-nginx, served here or not: the group that its messages name, and the
// risk that `annotations-risk-level` is held against.
#include <span>
#include <string_view>

#include "controller/settings/ingress_rules.h"

namespace penstock::annotations {

struct Known {
  std::string_view name;  // without the prefix
  std::string_view group;
  settings::Risk risk;
};

/// Sorted by name; an alias has a row of its own.
std::span<const Known> known();
/// Null where ingress-nginx has no such annotation.
const Known* find_known(std::string_view name);
/// Annotations that ingress-nginx warns of and takes no notice of any more.
bool is_deprecated(std::string_view name);

}  // namespace penstock::annotations
