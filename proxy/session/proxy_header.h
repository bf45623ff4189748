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

}  // namespace penstock::session
