#pragma once
// How a connection of MySQL or MariaDB comes to TLS ("Connection Phase" of the protocol). The
// server speaks first, and what the client proves its password with is made from the server's
// words. So they are passed on as they are, and the client's request for TLS with them; then both
// sides have TLS, the packets are numbered alike on both, and nothing else need be understood. A
// backend without TLS would number differently and expect another proof, which is why it must have
// TLS, too.
#include <string>
#include <string_view>

#include "proxy/base/task.h"
#include "proxy/net/stream.h"

namespace penstock::session {

/// The server's first packet with its header, read to its end and no further. Empty with a
/// `failure` where it is none, or does not offer TLS. The caller bounds the time.
base::Task<std::string> take_mysql_greeting(net::Stream& upstream, std::string& failure);

/// Shows the greeting to the client and reads its request for TLS, which is returned with its
/// header. A client that does not ask is told so (error 3159) and gets nowhere: empty, with a
/// `failure`. The caller bounds the time.
base::Task<std::string> await_mysql_request(net::Stream& client, std::string_view greeting,
                                            std::string& failure);

}  // namespace penstock::session
