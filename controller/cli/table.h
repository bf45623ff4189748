#pragma once
// Rows of text in columns, as the commands print them.
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

/// Each column as wide as its widest field; every row has as many fields as the first.
std::string columns(const std::vector<std::vector<std::string>>& rows);
/// For a terminal: what is no printable ASCII stands as '?'.
std::string printable(std::string_view text);

}  // namespace penstock::cli
