#pragma once
// Texts of the JSON that is written to the API.
#include <string>
#include <string_view>

#include "proxy/base/text.h"

namespace penstock::status {

/// With its quotes.
inline std::string json_string(std::string_view text) {
  return '"' + base::escape_json(text) + '"';
}

/// At most this many bytes, of whole UTF-8 characters; "..." tells that something is left off.
inline std::string shortened(std::string_view text, std::size_t longest) {
  if (text.size() <= longest) return std::string(text);
  auto end = longest - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace penstock::status
