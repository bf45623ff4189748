#include "proxy/telemetry/redaction.h"

namespace penstock::telemetry {
namespace {

/// By the code, not by the locale.
constexpr bool is_within(char c, char first, char last) { return c >= first && c <= last; }

constexpr char kind_of(char c) {
  if (is_within(c, 'a', 'z')) return 'a';
  if (is_within(c, 'A', 'Z')) return 'A';
  if (is_within(c, '0', '9')) return '9';
  return is_within(c, ' ', '~') ? c : '.';
}

constexpr char escape_of(char c) {
  switch (c) {
    case '\0':
      return '0';
    case '\r':
      return 'r';
    case '\n':
      return 'n';
    case '\t':
      return 't';
    case '\\':
    case '"':
      return c;
    default:
      return 0;
  }
}

}  // namespace

void append_redacted(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    if (const char escape = escape_of(c); escape != 0) {
      out += '\\';
      out += escape;
    } else {
      out += kind_of(c);
    }
  }
}

}  // namespace penstock::telemetry
