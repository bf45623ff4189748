#pragma once
// Texts of the JSON that is written to the API.
#include <string>
#include <string_view>

#include "proxy/base/text.h"
#include "proxy/base/utf8.h"

namespace penstock::status {

/// With its quotes.
inline std::string json_string(std::string_view text) {
  return '"' + base::escape_json(text) + '"';
}

/// At most this many bytes, of whole UTF-8 characters; "..." tells that something is left off.
inline std::string shortened(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return std::string(text);
  return std::string(base::cut_at_character(text, longest - 3)) + "...";
}

}  // namespace penstock::status
