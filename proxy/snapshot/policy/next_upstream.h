#pragma once
#include <cstdint>
#include <vector>

#include "proxy/base/duration.h"

namespace penstock::snapshot {

/// When a failed attempt is repeated on another endpoint (nginx proxy_next_upstream).
struct NextUpstream {
  bool on_error = true;
  bool on_timeout = true;
  bool on_invalid_header = false;
  bool may_retry_non_idempotent = false;
  std::vector<std::uint16_t> on_status;  // sorted; of 403 404 429 500 502 503 504
  std::uint32_t tries = 3;               // attempts in total; 0 = as many as there are endpoints
  base::Duration timeout{0};             // for all attempts together; 0 = none

  template <class Archive>
  void describe(Archive& archive) {
    archive("on_error", on_error)("on_timeout", on_timeout)("on_invalid_header", on_invalid_header)(
        "may_retry_non_idempotent", may_retry_non_idempotent)("on_status", on_status)(
        "tries", tries)("timeout", timeout);
  }
  bool operator==(const NextUpstream&) const = default;
};

}  // namespace penstock::snapshot
