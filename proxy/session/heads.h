#pragma once
// The heads that Penstock writes: of a request to an upstream and of a response to a client. What
// is passed on is copied as received, in runs of whole lines; what Penstock sets stands behind it.
#include <string>
#include <string_view>

#include "proxy/base/clock.h"
#include "proxy/filters/exchange.h"
#include "proxy/http/message.h"
#include "proxy/snapshot/route.h"

namespace penstock::session {

/// What is known of the client's connection, for the X- headers.
struct ClientSide {
  base::Address peer;             // who connected, or whom PROXY protocol named
  std::string peer_text;          // the same for people
  std::uint16_t server_port = 0;  // where; 443 on every TLS port, as in the original
  bool is_tls = false;
  bool has_proxy_header = false;
  bool is_tls_before = false;     // PROXY protocol names port 443: TLS ended in front of us
  std::uint64_t connection = 0;   // serial number within the worker
  base::TcpEndpoint socket_peer;  // who connected

  void set_peer(const base::Address& address);
};

/// The client that this request speaks for: the peer, or where forwarded headers are trusted the
/// last address of X-Forwarded-For that is not itself a trusted proxy.
base::Address client_address(const ClientSide& client, const http::RequestHead& request,
                             const snapshot::ForwardedHeaders& forwarded);

/// How the body of a request goes to the upstream: in chunks, or with a length, or there is none.
struct UpstreamBody {
  bool is_chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;
};
/// Overwrites `out` with the head for the upstream, its empty line included.
void write_request_head(const filters::Exchange& exchange, const ClientSide& client,
                        const snapshot::Backend& backend, const UpstreamBody& body,
                        std::string& out);

/// How the client learns where a response ends.
struct ResponseFraming {
  bool is_chunked = false;
  bool closes = false;
};
/// Overwrites `out`. A Date is added where the upstream sent none (RFC 9110 6.6.1).
void write_response_head(const http::ResponseHead& response, const filters::Exchange& exchange,
                         const ResponseFraming& framing, base::WallTime now, std::string& out);

/// A whole answer of our own: an error page or a redirect. `wants_body` is false for HEAD.
void append_local_reply(std::uint16_t status, std::string_view location,
                        const filters::Exchange& exchange, bool closes, bool wants_body,
                        base::WallTime now, std::string& out);

}  // namespace penstock::session
