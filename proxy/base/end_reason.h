#pragma once
// Why a session has ended, or an attempt on an upstream has failed: one word each, the same in log
// lines, in metric labels, in error lines and in docs/reference/reasons.md, which is printed from
// this table.
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/base/asio.h"

namespace penstock::base {

enum class Side : std::uint8_t { kClient, kUpstream };

enum class EndReason : std::uint8_t {
  kClientClosed,
  kUpstreamClosed,
  kAnswered,
  kClientReset,
  kUpstreamReset,
  kClientLost,
  kUpstreamLost,
  kConnectRefused,
  kConnectTimeout,
  kConnectUnreachable,
  kUpstreamTlsFailure,
  kBadResponse,
  kBadStatus,
  kIdleTimeout,
  kClientIdleTimeout,
  kUpstreamIdleTimeout,
  kHalfCloseTimeout,
  kMaxSession,
  kNoRule,
  kNoEndpoint,
  kDenied,
  kLimit,
  kEvicted,
  kBadProxyHeader,
  kBadRequest,
  kTlsFailure,
  kDrained,
  kPortClosed,
  kSpecChanged,
  kEndpointRemoved,
  kOutOfResources,
  kInternal,
  kCount,
};
inline constexpr auto kEndReasons = static_cast<std::size_t>(EndReason::kCount);

struct EndReasonRow {
  EndReason reason;
  std::string_view word;
  std::uint16_t status;  // $status of a stream's log line, in the words of nginx's stream module
  bool is_failure;       // has an error line
  std::string_view meaning;
};

/// In the order of the enumerators.
std::span<const EndReasonRow, kEndReasons> end_reasons();
std::string_view word_of(EndReason reason);
std::uint16_t status_of(EndReason reason);
bool is_failure(EndReason reason);

/// Why a connection to an endpoint could not be made.
EndReason connect_failure(error_code code, bool is_timeout);
/// What has become of a connection that was there.
EndReason broken(Side side, error_code code);

}  // namespace penstock::base
