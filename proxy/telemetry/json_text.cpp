#include "proxy/telemetry/json_text.h"

#include <fmt/format.h>

#include <array>

namespace penstock::telemetry {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::array<bool, 128> kPlain = [] {
  std::array<bool, 128> table{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) table[c] = c != '"' && c != '\\';
  return table;
}();

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Bytes of the character that `text` begins with, which is not ASCII; 0 where there is none:
/// overlong forms, surrogates and what is beyond U+10FFFF are none (RFC 3629, 4).
std::size_t character_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool is_wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return is_wrong ? 0 : size;
}

/// Not through the middle of a character.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  auto end = most;
  for (int i = 0; i < 3 && end > 0 && is_continuation(text[end]); ++i) --end;
  return text.substr(0, end);
}

}  // namespace

void append_json_text(std::string& out, std::string_view text, std::size_t most) {
  text = cut(text, most);
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && static_cast<unsigned char>(text[plain]) < 0x80 &&
           kPlain[static_cast<unsigned char>(text[plain])]) {
      ++plain;
    }
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text[0]);
    if (c < 0x80) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
      text.remove_prefix(1);
      continue;
    }
    const auto size = character_size(text);
    out.append(size == 0 ? kReplacement : text.substr(0, size));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

void AttributeWriter::begin(std::string_view key) {
  if (!is_first_) out_ += ',';
  is_first_ = false;
  out_.append(R"({"key":")").append(key).append(R"(","value":{)");
}

AttributeWriter& AttributeWriter::text(std::string_view key, std::string_view value) {
  if (value.empty()) return *this;
  begin(key);
  out_ += R"("stringValue":)";
  append_json_text(out_, value, kMostText);
  out_ += "}}";
  return *this;
}

// 64-bit numbers are texts in the JSON form of protobuf.
AttributeWriter& AttributeWriter::number(std::string_view key, std::uint64_t value) {
  begin(key);
  fmt::format_to(std::back_inserter(out_), R"("intValue":"{}"}}}})", value);
  return *this;
}

}  // namespace penstock::telemetry
