#pragma once
// Parsed message heads. All text points into the bytes that were parsed, which the connection keeps
// until the exchange is over.
#include <cstdint>
#include <string_view>

#include "proxy/http/headers.h"

namespace penstock::http {

/// How the end of a body is known (RFC 9112 section 6.3).
enum class Framing : std::uint8_t {
  kNone,       // there is no body
  kLength,     // Content-Length
  kChunked,    // Transfer-Encoding: chunked
  kUntilClose  // responses only
};

struct RequestHead {
  std::string_view method;
  std::string_view target;          // as received: "/a/b?c", "*", or absolute-form
  std::string_view path;            // of the target, undecoded, without the query; "/" where empty
  std::string_view query;           // without '?'
  std::string_view path_and_query;  // what goes to the upstream, byte for byte
  std::string_view authority;  // Host, or of an absolute-form target, which wins (RFC 9112 3.2.2)
  std::string_view host;       // of the authority: without port and trailing dot, in any case
  std::string_view line;       // the request line as received, with its CRLF
  std::size_t size = 0;        // bytes of the whole head
  std::uint8_t minor_version = 1;
  Headers headers;
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;  // with Framing::kLength
  bool keeps_alive = true;
  bool is_absolute = false;  // the target named the authority
  bool expects_continue = false;
  bool upgrades_to_websocket = false;
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string_view reason;
  std::string_view line;  // the status line as received, with its CRLF
  std::size_t size = 0;   // bytes of the whole head
  std::uint8_t minor_version = 1;
  Headers headers;
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;  // with Framing::kLength
  bool keeps_alive = true;
};

}  // namespace penstock::http
