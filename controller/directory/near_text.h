#pragma once
// What somebody may have meant who wrote a name that is not known.
#include <span>
#include <string_view>

namespace penstock::directory {

/// The one of `known` that differs from `text` in case, in its end or in two letters at most; empty
/// where none does.
std::string_view nearest(std::string_view text, std::span<const std::string_view> known);

}  // namespace penstock::directory
