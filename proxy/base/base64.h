#pragma once
// RFC 4648 section 4: standard alphabet, padding required when reading, line breaks ignored.
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace penstock::base {

Result<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace penstock::base
