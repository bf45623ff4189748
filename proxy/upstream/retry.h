#pragma once
// May a failed attempt be repeated on another endpoint? (nginx proxy_next_upstream)
#include <cstdint>
#include <string_view>

#include "proxy/base/duration.h"
#include "proxy/snapshot/policy/next_upstream.h"

namespace penstock::upstream {

struct Attempt {
  enum class Outcome : std::uint8_t { kError, kTimeout, kInvalidHeader, kStatus };
  Outcome outcome = Outcome::kError;
  std::uint16_t status = 0;          // with kStatus
  std::uint32_t number = 1;          // 1 for the first
  bool is_request_sent = false;      // any byte of it has left for the endpoint
  bool is_response_started = false;  // any byte of a response has gone to the client
  bool can_replay = true;            // the whole request is still in memory
  bool is_idempotent = true;         // not POST, LOCK or PATCH
  base::Duration elapsed{0};         // since the first attempt began
};

/// nginx: POST, LOCK and PATCH are not repeated once sent.
constexpr bool is_idempotent(std::string_view method) {
  return method != "POST" && method != "LOCK" && method != "PATCH";
}

bool may_retry(const snapshot::NextUpstream& policy, const Attempt& attempt);

}  // namespace penstock::upstream
