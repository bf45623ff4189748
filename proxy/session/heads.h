#pragma once
// The heads that Penstock writes: of a request to an upstream and of a response to a client.
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
  std::uint16_t server_port = 0;  // where; 443 on every TLS port, as in the original
  bool is_tls = false;
  base::TcpEndpoint socket_peer;  // who connected
  bool has_proxy_header = false;
  bool is_tls_before = false;    // PROXY protocol names port 443: TLS ended in front of us
  std::uint64_t connection = 0;  // serial number within the worker
};

/// The client that this request speaks for: the peer, or where forwarded headers are trusted the
/// last address of X-Forwarded-For that is not itself a trusted proxy.
base::Address client_address(const ClientSide& client, const http::RequestHead& request,
                             const snapshot::ForwardedHeaders& forwarded);

/// RFC 9110 7.6.1: what concerns one connection only and is never passed on.
bool is_hop_by_hop(const http::Headers& headers, const http::Header& field);

/// Appends the head for the upstream, with its empty line. `request_id` is the X-Request-ID.
/// `is_chunked` where the body goes on in chunks; else its length is the request's, or
/// `body_size` where the whole body is known.
struct UpstreamBody {
  bool is_chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;
};
void append_request_head(const filters::Exchange& exchange, const ClientSide& client,
                         const snapshot::Backend& backend, std::string_view request_id,
                         const UpstreamBody& body, std::string& out);

/// How the client learns where a response ends.
struct ResponseFraming {
  bool is_chunked = false;
  bool closes = false;
};
/// A Date is added where the upstream sent none (RFC 9110 6.6.1).
void append_response_head(const http::ResponseHead& response, const filters::Exchange& exchange,
                          const ResponseFraming& framing, base::WallTime now, std::string& out);

/// A whole answer of our own: an error page or a redirect. `wants_body` is false for HEAD.
void append_local_reply(std::uint16_t status, std::string_view location,
                        const filters::Exchange& exchange, bool closes, bool wants_body,
                        base::WallTime now, std::string& out);

}  // namespace penstock::session
