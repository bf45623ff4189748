#include "proxy/telemetry/json_text.h"

#include <fmt/format.h>

#include <array>

#include "proxy/base/utf8.h"

namespace penstock::telemetry {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::array<bool, 128> kPlain = [] {
  std::array<bool, 128> table{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) table[c] = c != '"' && c != '\\';
  return table;
}();

}  // namespace

void append_json_text(std::string& out, std::string_view text, std::size_t most) {
  text = base::cut_at_character(text, most);
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
    const auto size = base::character_size(text);
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
