#include "proxy/http/h1_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "proxy/base/text.h"
#include "proxy/http/scan.h"

namespace penstock::http {
namespace {

using base::is_digit;

constexpr std::uint8_t kPlain = 1;       // a token character
constexpr std::uint8_t kUnderscore = 2;  // and this one

constexpr std::array<std::uint8_t, 256> make_token_table() {
  std::array<std::uint8_t, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = kPlain;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = kPlain;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = kPlain;
  for (const char c : std::string_view("!#$%&'*+-.^`|~")) {
    table[static_cast<unsigned char>(c)] = kPlain;
  }
  table['_'] = kUnderscore;
  return table;
}
constexpr auto kToken = make_token_table();

bool is_token_byte(char c) { return kToken[static_cast<unsigned char>(c)] != 0; }
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_byte);
}

/// RFC 9110 5.5: visible characters, SP, HTAB and obs-text.
bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7f : byte == '\t';
  });
}

constexpr HeadFailure kOk{};
constexpr HeadFailure bad(const char* why) { return {400, why}; }

/// Cuts the next line off `rest`, which holds whole lines; nothing on a bare LF or CR.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos || end == 0 || rest[end - 1] != '\r') return std::nullopt;
  auto line = rest.substr(0, end - 1);
  rest.remove_prefix(end + 1);
  if (line.contains('\r')) return std::nullopt;
  return line;
}

/// The line that begins at `line` and is not "name: value": why.
HeadFailure explain_line(std::string_view line) {
  const auto end = line.find('\n');
  if (end == std::string_view::npos || end == 0 || line[end - 1] != '\r') {
    return bad("a line does not end in CRLF");
  }
  line = line.substr(0, end - 1);
  if (line.contains('\r')) return bad("a line does not end in CRLF");
  if (!line.empty() && base::is_space(line.front())) return bad("folded header line");
  if (!line.contains(':')) return bad("a header line has no colon");
  return bad("a header name is not a token");
}

/// One pass: names by table, values by the first byte that cannot stand in one.
HeadFailure parse_fields(std::string_view rest, const HeadLimits& limits, Headers& out) {
  out.clear();
  const auto* at = rest.data();
  const auto* const end = at + rest.size();
  for (;;) {
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
      return at + 2 == end ? kOk : bad("bytes after the empty line");
    }
    const auto* const begin = at;
    std::uint8_t seen = 0;
    for (; at != end; ++at) {
      const auto kind = kToken[static_cast<unsigned char>(*at)];
      if (kind == 0) break;
      seen |= kind;
    }
    if (at == begin || at == end || *at != ':') return explain_line({begin, end});
    const std::string_view name(begin, at);
    ++at;
    while (at != end && base::is_space(*at)) ++at;
    const auto* const value = at;
    at = find_not_field_byte(at, end);
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
      if (at != end && *at != '\r' && *at != '\n') return bad("a control byte in a header value");
      return bad("a line does not end in CRLF");
    }
    const auto* last = at;
    while (last != value && base::is_space(last[-1])) --last;
    at += 2;
    const auto size = static_cast<std::size_t>(at - begin);
    if (size > limits.max_line + 2) return {431, "a header line is too long"};
    if ((seen & kUnderscore) != 0 && !limits.keeps_underscores) continue;
    if (out.size() >= limits.max_fields) return {431, "too many headers"};
    out.add(name, {value, last}, static_cast<std::uint32_t>(size));
  }
}

/// The one length of all Content-Length fields; equal repeats would be legal to fold, but no honest
/// client sends them (RFC 9112 6.3 (5)).
HeadFailure read_content_length(const Headers& headers, std::optional<std::uint64_t>& out) {
  if (!headers.has(Name::kContentLength)) return kOk;
  for (const auto& field : headers) {
    if (field.id != Name::kContentLength) continue;
    if (out) return bad("several Content-Length headers");
    if (field.value.size() > 18 || !std::ranges::all_of(field.value, is_digit)) {
      return bad("Content-Length is not a number");
    }
    out = base::parse_integer<std::uint64_t>(field.value);
    if (!out) return bad("Content-Length is not a number");
  }
  return kOk;
}

/// Transfer-Encoding is understood as exactly "chunked", once (RFC 9112 6.1).
HeadFailure read_transfer_encoding(const Headers& headers, bool& is_chunked) {
  if (!headers.has(Name::kTransferEncoding)) return kOk;
  for (const auto& field : headers) {
    if (field.id != Name::kTransferEncoding) continue;
    if (is_chunked) return bad("several Transfer-Encoding headers");
    if (!base::equals_ignoring_case(field.value, "chunked")) {
      return field.value.empty() || base::to_lower(field.value).contains("chunked")
                 ? bad("Transfer-Encoding is not exactly chunked")
                 : HeadFailure{501, "unknown transfer coding"};
    }
    is_chunked = true;
  }
  return kOk;
}

bool connection_has(const Headers& headers, std::string_view token) {
  return headers.has(Name::kConnection) && std::ranges::any_of(headers, [&](const Header& field) {
           return field.id == Name::kConnection && list_has(field.value, token);
         });
}

/// "HTTP/1.x": the minor version, or a failure.
HeadFailure read_version(std::string_view text, std::uint8_t& minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return bad("the version is not HTTP/x.y");
  }
  if (text[5] != '1') return {505, "the major version is not 1"};
  minor = text[7] == '0' ? 0 : 1;
  return kOk;
}

constexpr std::array<bool, 256> make_host_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("-._~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kHost = make_host_table();
bool is_host_byte(char c) { return kHost[static_cast<unsigned char>(c)]; }

bool is_ipv6_byte(char c) {
  return is_digit(c) || c == ':' || c == '.' ||
         (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'f');
}

bool is_target_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  // Bytes beyond ASCII come from careless clients and are harmless; '#' never belongs here.
  return byte > 0x20 && byte != 0x7f && c != '#';
}

HeadFailure read_target(RequestHead& out) {
  auto target = out.target;
  if (target.empty() || !std::ranges::all_of(target, is_target_byte)) {
    return bad("the request target holds a forbidden byte");
  }
  if (target == "*") {
    if (out.method != "OPTIONS") return bad("only OPTIONS may ask for *");
    out.path = out.path_and_query = target;
    return kOk;
  }
  if (target.front() != '/') {
    const auto scheme_end = target.find("://");
    const auto scheme = target.substr(0, scheme_end);
    if (scheme_end == std::string_view::npos || !(base::equals_ignoring_case(scheme, "http") ||
                                                  base::equals_ignoring_case(scheme, "https"))) {
      return bad("the request target is neither a path nor an http URL");
    }
    target.remove_prefix(scheme_end + 3);
    const auto path_start = target.find_first_of("/?");
    out.authority = target.substr(0, path_start);
    target = path_start == std::string_view::npos ? "/" : target.substr(path_start);
    if (out.authority.empty()) return bad("the request target has no authority");
    out.is_absolute = true;
    if (target.front() == '?') return bad("the request target has no path");
  }
  out.path_and_query = target;
  const auto question = target.find('?');
  out.path = target.substr(0, question);
  out.query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
  return kOk;
}

HeadFailure read_request_line(std::string_view line, RequestHead& out) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad("malformed request line");
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  if (!is_token(out.method)) return bad("the method is not a token");
  if (const auto failure = read_version(line.substr(last + 1), out.minor_version)) return failure;
  if (out.method == "CONNECT") return {405, "CONNECT is not served"};
  return read_target(out);
}

HeadFailure read_host(RequestHead& out) {
  const Header* host = nullptr;
  for (const auto& field : out.headers) {
    if (field.id != Name::kHost) continue;
    if (host != nullptr) return bad("several Host headers");
    host = &field;
  }
  if (host == nullptr && out.minor_version >= 1) return bad("no Host header");
  std::string_view named;
  if (host != nullptr && !host->value.empty() && !split_authority(host->value, named)) {
    return bad("the Host header is not a host");
  }
  if (out.authority.empty()) {
    out.host = named;
    if (host != nullptr) out.authority = host->value;
  } else if (!split_authority(out.authority, out.host)) {
    return bad("the authority of the request target is not a host");
  }
  return kOk;
}

HeadFailure read_request_framing(RequestHead& out) {
  std::optional<std::uint64_t> length;
  bool is_chunked = false;
  if (const auto failure = read_content_length(out.headers, length)) return failure;
  if (const auto failure = read_transfer_encoding(out.headers, is_chunked)) return failure;
  if (is_chunked && length) return bad("both Transfer-Encoding and Content-Length");
  if (is_chunked && out.minor_version == 0) return bad("Transfer-Encoding in HTTP/1.0");
  if (is_chunked) {
    out.framing = Framing::kChunked;
  } else if (length && *length > 0) {
    out.framing = Framing::kLength;
    out.content_length = *length;
  }
  return kOk;
}

}  // namespace

std::size_t HeadScanner::scan(std::string_view bytes) {
  const auto* const begin = bytes.data();
  const auto* const found = find_empty_line(begin, begin + seen_, begin + bytes.size());
  seen_ = found == nullptr ? bytes.size() : 0;
  return found == nullptr ? 0 : static_cast<std::size_t>(found - begin);
}

HeadFailure check_partial_request(std::string_view bytes, const HeadLimits& limits) {
  if (bytes.empty() || bytes == "\r") return kOk;  // an empty line before it may be on its way
  const auto line_end = bytes.find('\n');
  const auto line = bytes.substr(0, line_end);
  if (!is_token(line.substr(0, line.find(' ')))) return bad("the method is not a token");
  if (line_end == std::string_view::npos) {
    if (bytes.size() > limits.max_line) return {414, "the request line is too long"};
    return kOk;
  }
  if (line_end > limits.max_line) return {414, "the request line is too long"};
  if (bytes.size() > limits.max_head) return {431, "the request head is too large"};
  return kOk;
}

HeadFailure parse_request_head(std::string_view head, const HeadLimits& limits, RequestHead& out) {
  auto headers = std::move(out.headers);
  out = RequestHead{};
  out.headers = std::move(headers);
  out.headers.clear();
  auto rest = head;
  const auto line = take_line(rest);
  if (!line) return bad("the request line does not end in CRLF");
  out.line = {head.data(), line->size() + 2};
  out.size = head.size();
  if (line->size() > limits.max_line) return {414, "the request line is too long"};
  if (head.size() > limits.max_head) return {431, "the request head is too large"};
  if (const auto failure = read_request_line(*line, out)) return failure;
  if (const auto failure = parse_fields(rest, limits, out.headers)) return failure;
  if (const auto failure = read_host(out)) return failure;
  if (const auto failure = read_request_framing(out)) return failure;
  out.keeps_alive = out.minor_version >= 1 ? !connection_has(out.headers, "close")
                                           : connection_has(out.headers, "keep-alive");
  if (const auto* expect = out.headers.find(Name::kExpect); expect != nullptr) {
    if (!base::equals_ignoring_case(expect->value, "100-continue")) {
      return {417, "unknown expectation"};
    }
    out.expects_continue = out.minor_version >= 1;
  }
  // h2c and anything but WebSocket stay plain HTTP: the Upgrade header is not passed on.
  const auto* upgrade = out.headers.find(Name::kUpgrade);
  out.upgrades_to_websocket = upgrade != nullptr && out.minor_version >= 1 &&
                              base::equals_ignoring_case(upgrade->value, "websocket") &&
                              connection_has(out.headers, "upgrade") &&
                              out.framing == Framing::kNone;
  return kOk;
}

HeadFailure parse_response_head(std::string_view head, const HeadLimits& limits,
                                std::string_view method, ResponseHead& out) {
  auto headers = std::move(out.headers);
  out = ResponseHead{};
  out.headers = std::move(headers);
  auto rest = head;
  const auto line = take_line(rest);
  if (!line || line->size() < 12) return bad("malformed status line");
  out.line = {head.data(), line->size() + 2};
  out.size = head.size();
  if (read_version(line->substr(0, 8), out.minor_version)) return bad("malformed status line");
  const auto status = base::parse_integer<std::uint16_t>(line->substr(9, 3));
  if (!status || (*line)[8] != ' ' || *status < 100 || *status > 599 ||
      (line->size() > 12 && (*line)[12] != ' ')) {
    return bad("malformed status line");
  }
  out.status = *status;
  out.reason = line->size() > 13 ? line->substr(13) : std::string_view();
  if (!is_field_value(out.reason)) return bad("a control byte in the reason");
  if (const auto failure = parse_fields(rest, limits, out.headers)) return failure;

  std::optional<std::uint64_t> length;
  bool is_chunked = false;
  if (const auto failure = read_content_length(out.headers, length)) return failure;
  if (const auto failure = read_transfer_encoding(out.headers, is_chunked)) return failure;
  if (is_chunked && length) return bad("both Transfer-Encoding and Content-Length");
  if (is_chunked && out.minor_version == 0) return bad("Transfer-Encoding in HTTP/1.0");
  const bool has_no_body =
      method == "HEAD" || out.status < 200 || out.status == 204 || out.status == 304;
  out.content_length = length.value_or(0);
  if (has_no_body) {
    out.framing = Framing::kNone;
  } else if (is_chunked) {
    out.framing = Framing::kChunked;
  } else if (length) {
    out.framing = *length > 0 ? Framing::kLength : Framing::kNone;
  } else {
    out.framing = Framing::kUntilClose;
  }
  out.keeps_alive = out.framing != Framing::kUntilClose &&
                    (out.minor_version >= 1 ? !connection_has(out.headers, "close")
                                            : connection_has(out.headers, "keep-alive"));
  return kOk;
}

bool split_authority(std::string_view authority, std::string_view& host) {
  host = authority;
  std::string_view port;
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == std::string_view::npos) return false;
    port = host.substr(close + 1);
    host = host.substr(0, close + 1);
    const auto inside = host.substr(1, host.size() - 2);
    if (inside.empty() || !std::ranges::all_of(inside, is_ipv6_byte)) return false;
  } else {
    const auto colon = host.find(':');
    if (colon != std::string_view::npos) {
      port = host.substr(colon);
      host = host.substr(0, colon);
    }
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.empty() || host.size() > 255 || !std::ranges::all_of(host, is_host_byte)) return false;
  }
  if (port.empty()) return true;
  if (port.front() != ':') return false;
  port.remove_prefix(1);
  return port.size() <= 5 && std::ranges::all_of(port, is_digit);
}

std::string host_of(std::string_view authority) {
  std::string_view host;
  return split_authority(authority, host) ? base::to_lower(host) : std::string();
}

}  // namespace penstock::http
