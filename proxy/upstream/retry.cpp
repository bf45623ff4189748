#include "proxy/upstream/retry.h"

#include <algorithm>

namespace penstock::upstream {
namespace {

bool is_covered(const snapshot::NextUpstream& policy, const Attempt& attempt) {
  switch (attempt.outcome) {
    case Attempt::Outcome::kError:
      return policy.on_error;
    case Attempt::Outcome::kTimeout:
      return policy.on_timeout;
    case Attempt::Outcome::kInvalidHeader:
      return policy.on_invalid_header;
    case Attempt::Outcome::kStatus:
      return std::ranges::binary_search(policy.on_status, attempt.status);
  }
  return false;
}

}  // namespace

bool may_retry(const snapshot::NextUpstream& policy, const Attempt& attempt) {
  if (attempt.is_response_started || !attempt.can_replay) return false;
  if (!is_covered(policy, attempt)) return false;
  if (policy.tries != 0 && attempt.number >= policy.tries) return false;
  if (policy.timeout.count() > 0 && attempt.elapsed >= policy.timeout) return false;
  return !attempt.is_request_sent || attempt.is_idempotent || policy.may_retry_non_idempotent;
}

}  // namespace penstock::upstream
