#include "proxy/base/base64.h"

#include <algorithm>
#include <cstdint>

#include "proxy/base/text.h"

namespace penstock::base {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  std::size_t count = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || is_space(c)) continue;
    const auto value = kAlphabet.find(c);
    if (c == '=') {
      ++padding;
    } else if (value == kAlphabet.npos || padding > 0) {
      return fail("not base64");
    }
    bits = (bits << 6) | (c == '=' ? 0U : static_cast<std::uint32_t>(value));
    if (++count % 4 != 0) continue;
    for (const int shift : {16, 8, 0}) out += static_cast<char>((bits >> shift) & 0xFF);
  }
  if (count % 4 != 0 || padding > 2) return fail("not base64");
  out.erase(out.size() - std::min(padding, out.size()));
  return out;
}

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = (bits << 8) | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= group.size() ? kAlphabet[(bits >> (18 - 6 * i)) & 0x3F] : '=';
    }
  }
  return out;
}

}  // namespace penstock::base
