#include "proxy/session/heads.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/http/status_text.h"

namespace penstock::session {
namespace {

using http::Name;

constexpr std::string_view kServer = "penstock";

void field(std::string& out, std::string_view name, std::string_view value) {
  // A header with an empty value is not sent, as nginx does.
  if (value.empty()) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

/// Fields that Penstock sets itself, or that must not reach an upstream.
bool is_replaced_in_request(Name id) {
  switch (id) {
    case Name::kHost:
    case Name::kContentLength:
    case Name::kExpect:
    case Name::kProxy:  // httpoxy
    case Name::kHttp2Settings:
    case Name::kXRequestId:
    case Name::kXRealIp:
    case Name::kXForwardedFor:
    case Name::kXForwardedHost:
    case Name::kXForwardedPort:
    case Name::kXForwardedProto:
    case Name::kXForwardedScheme:
    case Name::kXScheme:
    case Name::kXOriginalForwardedFor:
    case Name::kXOriginalForwardedHost:
      return true;
    default:
      return false;
  }
}

bool trusts(const snapshot::ForwardedHeaders& forwarded, const base::Address& peer) {
  return forwarded.trusted_networks.empty() ||
         std::ranges::any_of(forwarded.trusted_networks,
                             [&](const base::IpNet& net) { return net.contains(peer); });
}

void append_forwarded(const filters::Exchange& exchange, const ClientSide& client,
                      std::string& out) {
  const auto& headers = exchange.request->headers;
  const auto& forwarded = exchange.global->forwarded;
  const bool is_trusted = forwarded.is_trusted && trusts(forwarded, client.peer);
  const auto received = headers.value_of(Name::kXForwardedFor);
  const auto address = exchange.client_address.to_string();
  field(out, "X-Real-IP", address);
  field(out, "X-Forwarded-For",
        is_trusted && forwarded.appends && !received.empty()
            ? fmt::format("{}, {}", received, client.peer.to_string())
            : address);
  const auto sent_host = headers.value_of(Name::kXForwardedHost);
  const auto host = exchange.request->authority;
  field(out, "X-Forwarded-Host", is_trusted && !sent_host.empty() ? sent_host : host);
  const auto sent_port = headers.value_of(Name::kXForwardedPort);
  field(out, "X-Forwarded-Port",
        is_trusted && !sent_port.empty() ? std::string(sent_port)
                                         : fmt::format("{}", client.server_port));
  field(out, "X-Forwarded-Proto", exchange.scheme);
  field(out, "X-Forwarded-Scheme", exchange.scheme);
  field(out, "X-Scheme", exchange.scheme);
  field(out, "X-Original-Forwarded-For", received);
  field(out, "X-Original-Forwarded-Host", sent_host);
}

bool is_replaced_in_response(const filters::Exchange& exchange, const http::Header& header) {
  return header.id == Name::kServer ||
         std::ranges::any_of(exchange.response_headers, [&](const filters::AddedHeader& added) {
           return base::equals_ignoring_case(added.name, header.name);
         });
}

void append_added(const filters::Exchange& exchange, std::string& out) {
  field(out, "Server", kServer);
  for (const auto& added : exchange.response_headers) field(out, added.name, added.value);
}

/// The text is made once a second for each worker.
void append_date(base::WallTime now, std::string& out) {
  thread_local std::time_t second = -1;
  thread_local std::string line;
  if (const auto current = std::chrono::system_clock::to_time_t(now); current != second) {
    second = current;
    line = fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(second));
  }
  out.append(line);
}

}  // namespace

base::Address client_address(const ClientSide& client, const http::RequestHead& request,
                             const snapshot::ForwardedHeaders& forwarded) {
  if (!forwarded.is_trusted || !trusts(forwarded, client.peer)) return client.peer;
  const auto items = base::split_list(request.headers.value_of(Name::kXForwardedFor));
  auto best = client.peer;
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    const auto address = base::parse_address(*item);
    if (!address) return best;
    best = *address;
    if (!trusts(forwarded, best)) return best;
  }
  return best;
}

bool is_hop_by_hop(const http::Headers& headers, const http::Header& header) {
  switch (header.id) {
    case Name::kConnection:
    case Name::kKeepAlive:
    case Name::kProxyConnection:
    case Name::kTe:
    case Name::kTrailer:
    case Name::kTransferEncoding:
    case Name::kUpgrade:
      return true;
    // Connection may not take away what the message's meaning rests on.
    case Name::kHost:
    case Name::kContentLength:
      return false;
    default:
      break;
  }
  return std::ranges::any_of(headers, [&](const http::Header& other) {
    return other.id == Name::kConnection && http::list_has(other.value, header.name);
  });
}

void append_request_head(const filters::Exchange& exchange, const ClientSide& client,
                         const snapshot::Backend& backend, std::string_view request_id,
                         const UpstreamBody& body, std::string& out) {
  const auto& request = *exchange.request;
  out.append(request.method).append(" ").append(request.path_and_query).append(" HTTP/1.1\r\n");
  field(out, "Host", backend.virtual_host.empty() ? request.authority : backend.virtual_host);
  if (request.authority.empty() && backend.virtual_host.empty()) out.append("Host: _\r\n");
  if (request.upgrades_to_websocket) out.append("Upgrade: websocket\r\nConnection: upgrade\r\n");
  field(out, "X-Request-ID", request_id);
  append_forwarded(exchange, client, out);
  if (body.is_chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (body.has_length) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", body.length);
  }
  for (const auto& header : request.headers) {
    if (is_replaced_in_request(header.id) || is_hop_by_hop(request.headers, header)) continue;
    field(out, header.name, header.value);
  }
  out.append("\r\n");
}

void append_response_head(const http::ResponseHead& response, const filters::Exchange& exchange,
                          const ResponseFraming& framing, base::WallTime now, std::string& out) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, response.reason);
  for (const auto& header : response.headers) {
    if (is_replaced_in_response(exchange, header)) continue;
    if (is_hop_by_hop(response.headers, header)) continue;
    out.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  append_added(exchange, out);
  if (response.headers.value_of(http::Name::kDate).empty()) append_date(now, out);
  if (response.status == 101) {
    out.append("Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    return;
  }
  if (framing.is_chunked) out.append("Transfer-Encoding: chunked\r\n");
  out.append(framing.closes ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
}

void append_local_reply(std::uint16_t status, std::string_view location,
                        const filters::Exchange& exchange, bool closes, bool wants_body,
                        base::WallTime now, std::string& out) {
  const auto reason = http::status_text(status);
  const auto page = fmt::format(
      "<html>\r\n<head><title>{0} {1}</title></head>\r\n<body>\r\n<center><h1>{0} {1}</h1>"
      "</center>\r\n<hr><center>penstock</center>\r\n</body>\r\n</html>\r\n",
      status, reason);
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", status, reason);
  append_date(now, out);
  fmt::format_to(std::back_inserter(out), "Content-Type: text/html\r\nContent-Length: {}\r\n",
                 page.size());
  field(out, "Location", location);
  append_added(exchange, out);
  out.append(closes ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
  if (wants_body) out.append(page);
}

}  // namespace penstock::session
