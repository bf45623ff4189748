#pragma once
#include <string>
#include <string_view>

namespace penstock::directory {

/// A sentence where an object that is not read was probably meant to be: its kind is spelled
/// another way, or its version is one that is not served. Empty for what is simply another kind.
std::string near_kind(std::string_view api_version, std::string_view kind);

}  // namespace penstock::directory
