#pragma once
// HTTP/1.x message heads (RFC 9112), strictly: what two readers could understand differently is
// refused, never passed on. Pure functions over bytes; the caller owns the buffer.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http/message.h"

namespace penstock::http {

struct HeadLimits {
  std::size_t max_line = 8 << 10;   // longest request line or field line; 414 or 431 beyond
  std::size_t max_head = 32 << 10;  // whole head; 431 beyond
  std::size_t max_fields = 128;     // 431 beyond
  bool keeps_underscores = false;   // else fields with '_' in their name are dropped
};

/// Finds where a head ends, remembering how far it has looked: bytes that trickle in are not
/// scanned twice.
class HeadScanner {
 public:
  /// `bytes` starts with the head and only grows between calls. Returns the size of the head with
  /// its empty line, or 0 while that has not come.
  std::size_t scan(std::string_view bytes);
  void reset() { seen_ = 0; }

 private:
  std::size_t seen_ = 0;
};

/// Why a head was refused: the status that the client gets, and a word for the log.
struct HeadFailure {
  std::uint16_t status = 0;  // 0 = none
  const char* why = "";
  explicit operator bool() const { return status != 0; }
};

/// What an unfinished head of these bytes already breaks: a limit, or an impossible beginning.
HeadFailure check_partial_request(std::string_view bytes, const HeadLimits& limits);

/// `head` is exactly one head with its final empty line. `out` is overwritten.
HeadFailure parse_request_head(std::string_view head, const HeadLimits& limits, RequestHead& out);

/// As above for an upstream's answer to a request of `method`; any failure means 502.
HeadFailure parse_response_head(std::string_view head, const HeadLimits& limits,
                                std::string_view method, ResponseHead& out);

/// The host within an authority, in any case, without port and trailing dot, "[::1]" with brackets.
/// False when it is not a valid authority (RFC 9110 4.2.4: no user information, no list).
bool split_authority(std::string_view authority, std::string_view& host);

/// The host of an authority: lower case, without port and trailing dot, "[::1]" with brackets.
/// Empty when it is not a valid authority (RFC 9110 4.2.4: no user information, no list).
std::string host_of(std::string_view authority);

}  // namespace penstock::http
