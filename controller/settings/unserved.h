#pragma once
// Keys of ingress-nginx's ConfigMap that change nothing here, so that who brings one along is told
// why instead of that it is unknown.
#include <span>
#include <string_view>

namespace penstock::settings {

struct UnservedKey {
  std::string_view name;
  std::string_view why;
  std::string_view harmless = {};  // the value that says what we do anyway: not reported
};

/// Sorted by name; none is in the table of the keys that are served.
std::span<const UnservedKey> unserved_keys();
/// Null: no key of ingress-nginx's has the name, or it is served.
const UnservedKey* find_unserved(std::string_view name);

}  // namespace penstock::settings
