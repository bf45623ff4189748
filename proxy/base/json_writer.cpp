#include "proxy/base/json_writer.h"

#include <fmt/format.h>

#include <cmath>

#include "proxy/base/text.h"

namespace penstock::base {
namespace {

/// Bytes of the UTF-8 sequence at the front; 0 where it is none (RFC 3629 section 4).
std::size_t sequence_size(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto is_tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  const auto first = at(0);
  const auto second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return is_tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!is_tail(1) || !is_tail(2)) return 0;
    const bool is_overlong = first == 0xe0 && second < 0xa0;
    const bool is_surrogate = first == 0xed && second >= 0xa0;
    return is_overlong || is_surrogate ? 0 : 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
    const bool is_out = (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
    return is_out ? 0 : 4;
  }
  return 0;
}

}  // namespace

void JsonWriter::separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  out_ += '"';
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto size = sequence_size(text.substr(i));
    if (size == 0) {
      out_ += escape_json(text.substr(done, i - done));
      out_ += "\\ufffd";
      done = ++i;
    } else {
      i += size;
    }
  }
  out_ += escape_json(text.substr(done));
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::value(bool is_true) { return raw(is_true ? "true" : "false"); }

JsonWriter& JsonWriter::value(double number) {
  return raw(std::isfinite(number) ? fmt::format("{:.6g}", number) : "null");
}

JsonWriter& JsonWriter::raw(std::string_view document) {
  separate();
  out_ += document;
  return *this;
}

}  // namespace penstock::base
