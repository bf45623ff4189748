#pragma once
// How Kubernetes spells names.
#include <cstddef>
#include <string_view>

namespace penstock::objects {

inline constexpr std::size_t kLongestLabel = 63;

/// RFC 1123: what a namespace, a listener and many other things may be called.
bool is_dns_label(std::string_view text);

}  // namespace penstock::objects
