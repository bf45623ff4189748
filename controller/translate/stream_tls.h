#pragma once
// TLS of the listeners and backends of a TCPService: from names of Secrets to what the proxy is
// given. What is not usable closes: a listener presents no certificate then, and so takes no
// connection; a backend is left out.
#include <optional>
#include <string>

#include "controller/objects/tcp_service.h"
#include "controller/translate/stream_port.h"
#include "proxy/snapshot/stream_tls.h"

namespace penstock::translate {

/// `field` is the listener's, for messages.
snapshot::StreamTls listener_tls(StreamPort& port, const objects::Meta& meta,
                                 const objects::ListenerTls& from, const std::string& field);
/// Nothing where the backend must not be served.
std::optional<snapshot::BackendTls> backend_tls(StreamPort& port, const objects::Meta& meta,
                                                const objects::BackendTls& from,
                                                const std::string& field);

}  // namespace penstock::translate
