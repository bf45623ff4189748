#pragma once
// UTF-8 (RFC 3629) in bytes that may be anything.
#include <string_view>

namespace penstock::base {

/// Bytes of the character at the front; 0 where there is none: overlong forms, surrogates and what
/// is beyond U+10FFFF are none (section 4).
std::size_t character_size(std::string_view text);

/// At most this many bytes, and not through the middle of a character.
std::string_view cut_at_character(std::string_view text, std::size_t most);

}  // namespace penstock::base
