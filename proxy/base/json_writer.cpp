#include "proxy/base/json_writer.h"

#include <fmt/format.h>

#include <cmath>

#include "proxy/base/text.h"
#include "proxy/base/utf8.h"

namespace penstock::base {

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
    const auto size = character_size(text.substr(i));
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
