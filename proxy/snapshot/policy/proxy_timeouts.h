#pragma once
#include "proxy/base/duration.h"

namespace penstock::snapshot {

/// nginx proxy_connect_timeout, proxy_send_timeout (between two writes), proxy_read_timeout
/// (between two reads; also the idle limit of an upgraded connection).
struct ProxyTimeouts {
  base::Duration connect{5'000};
  base::Duration send{60'000};
  base::Duration read{60'000};

  template <class Archive>
  void describe(Archive& archive) {
    archive("connect", connect)("send", send)("read", read);
  }
  bool operator==(const ProxyTimeouts&) const = default;
};

}  // namespace penstock::snapshot
