#pragma once
#include <cstdint>

#include "proxy/base/duration.h"

namespace penstock::snapshot {

/// SO_KEEPALIVE towards both sides of a TCP stream. Without an idle time it is off.
struct TcpKeepalive {
  base::Duration idle{0};
  base::Duration interval{75'000};
  std::uint32_t probes = 9;

  template <class Archive>
  void describe(Archive& archive) {
    archive("idle", idle)("interval", interval)("probes", probes);
  }
  bool operator==(const TcpKeepalive&) const = default;
};

}  // namespace penstock::snapshot
