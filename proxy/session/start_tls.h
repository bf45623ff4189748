#pragma once
// What PostgreSQL and SMTP say in the clear before TLS begins, on both sides. Nothing but the wish
// for TLS is understood there, and nothing that was sent in the clear is ever passed on: what comes
// behind that wish ends the connection (the injection of CVE-2011-0411 and CVE-2021-23214).
#include <string>

#include "proxy/base/task.h"
#include "proxy/net/stream.h"
#include "proxy/snapshot/stream_tls.h"

namespace penstock::session {

/// Until the client is ready for TLS. True then, with `early` holding what already belongs to the
/// handshake (a PostgreSQL client may begin with TLS at once); false with a `failure` for a log
/// line. The caller bounds the time.
base::Task<bool> await_start_tls(net::Stream& client, snapshot::StartTls protocol,
                                 std::string& early, std::string& failure);

/// Until the endpoint is ready for TLS; the caller bounds the time.
base::Task<bool> ask_start_tls(net::Stream& upstream, snapshot::StartTls protocol);

/// The greeting of an SMTP server that the client, which has been greeted by us, does not expect.
/// True with `reply` empty where it was 220; another reply is the client's to read.
base::Task<bool> take_greeting(net::Stream& upstream, std::string& reply);

}  // namespace penstock::session
