#pragma once
// The path that routes a request, as nginx computes it: percent-decoded, slashes merged, "." and
// ".." resolved. An encoded slash decodes to a slash, as there. The upstream still receives the
// original bytes.
#include <optional>
#include <string>
#include <string_view>

namespace penstock::http {

/// Writes the normalised form of `path` (which starts with '/') to `out`. False, meaning 400: bad
/// percent-encoding, an encoded NUL, or ".." beyond the root.
bool normalise_path(std::string_view path, std::string& out);

/// The same without a copy where `path` is normal already: the result is `path` or `storage`.
std::optional<std::string_view> normalised(std::string_view path, std::string& storage);

}  // namespace penstock::http
