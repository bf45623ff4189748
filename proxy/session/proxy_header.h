#pragma once
#include <string>

#include "proxy/base/task.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/net/stream.h"

namespace penstock::session {

struct ReadProxyHeader : net::ProxyHeader {
  std::string bytes;  // what was read; where there is no header it belongs to what follows
};

/// Reads the header that a connection begins with and not one byte more, for TLS may follow. The
/// caller bounds the time. A connection that ends meanwhile counts as malformed.
base::Task<ReadProxyHeader> read_proxy_header(net::Stream& stream);

/// True when the peer has sent something (or has ended) within `time`; what it sent is still to be
/// read. The connection stays as it is either way.
base::Task<bool> speaks_within(net::Stream& stream, net::DeadlineWheel& wheel, base::Duration time);

}  // namespace penstock::session
