#include "proxy/session/heads.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/http/status_text.h"

namespace penstock::session {
namespace {

using http::Name;

constexpr std::string_view kServerLine = "Server: penstock\r\n";

/// RFC 9110 7.6.1: what concerns one connection only and is never passed on.
constexpr http::NameSet kHopByHop{Name::kConnection, Name::kKeepAlive, Name::kProxyConnection,
                                  Name::kTe,         Name::kTrailer,   Name::kTransferEncoding,
                                  Name::kUpgrade};

/// Fields that Penstock sets itself, or that must not reach an upstream.
constexpr http::NameSet kReplacedInRequest{Name::kContentLength,
                                           Name::kExpect,
                                           Name::kProxy,  // httpoxy
                                           Name::kHttp2Settings,
                                           Name::kXRequestId,
                                           Name::kXRealIp,
                                           Name::kXForwardedFor,
                                           Name::kXForwardedHost,
                                           Name::kXForwardedPort,
                                           Name::kXForwardedProto,
                                           Name::kXForwardedScheme,
                                           Name::kXScheme,
                                           Name::kXOriginalForwardedFor,
                                           Name::kXOriginalForwardedHost};

/// Writes into memory that is known to be large enough.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  // Inlined, so that what is written is a store or two wherever its length is known.
  [[gnu::always_inline]] Writer& raw(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  /// `name` with its colon and space. A header with an empty value is not sent, as nginx does.
  [[gnu::always_inline]] void field(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name).raw(value).raw("\r\n");
  }
  void field(std::string_view name, std::uint64_t value) {
    raw(name);
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    raw("\r\n");
  }
  char* at() const { return at_; }

 private:
  char* at_;
};

/// Overwrites `out` with what `write` writes, which is at most `bound` bytes.
template <class Write>
void overwrite(std::string& out, std::size_t bound, Write write) {
  out.resize_and_overwrite(bound, [&](char* at, std::size_t) {
    Writer writer(at);
    write(writer);
    return writer.at() - at;
  });
}

/// Does Connection name anything but the few words that every connection uses?
bool names_fields(const http::Headers& headers) {
  if (!headers.has(Name::kConnection)) return false;
  return std::ranges::any_of(headers, [](const http::Header& field) {
    if (field.id != Name::kConnection) return false;
    const auto items = base::split_list(field.value);
    return std::ranges::any_of(items, [](std::string_view item) {
      return !base::equals_ignoring_case(item, "keep-alive") &&
             !base::equals_ignoring_case(item, "close") &&
             !base::equals_ignoring_case(item, "upgrade");
    });
  });
}

bool is_named_by_connection(const http::Headers& headers, const http::Header& header) {
  // Connection may not take away what the message's meaning rests on.
  if (header.id == Name::kHost || header.id == Name::kContentLength) return false;
  return std::ranges::any_of(headers, [&](const http::Header& other) {
    return other.id == Name::kConnection && http::list_has(other.value, header.name);
  });
}

/// The fields for which `is_kept` holds, as received; those side by side are copied in one go.
template <class IsKept>
void copy_fields(const http::Headers& headers, Writer& out, IsKept is_kept) {
  const bool is_named = names_fields(headers);
  std::string_view run;
  for (const auto& header : headers) {
    if (kHopByHop.has(header.id) || !is_kept(header)) continue;
    if (is_named && is_named_by_connection(headers, header)) continue;
    const auto line = header.line();
    if (run.data() + run.size() == line.data()) {
      run = {run.data(), run.size() + line.size()};
      continue;
    }
    out.raw(run);
    run = line;
  }
  out.raw(run);
}

bool trusts(const snapshot::ForwardedHeaders& forwarded, const base::Address& peer) {
  return forwarded.trusted_networks.empty() ||
         std::ranges::any_of(forwarded.trusted_networks,
                             [&](const base::IpNet& net) { return net.contains(peer); });
}

void write_forwarded(const filters::Exchange& exchange, const ClientSide& client, Writer& out) {
  const auto& headers = exchange.request->headers;
  const auto& forwarded = exchange.global->forwarded;
  const bool is_trusted = forwarded.is_trusted && trusts(forwarded, client.peer);
  const auto received = headers.value_of(Name::kXForwardedFor);
  std::string other;
  std::string_view address = client.peer_text;
  if (exchange.client_address != client.peer) address = other = exchange.client_address.to_string();
  out.field("X-Real-IP: ", address);
  if (is_trusted && forwarded.appends && !received.empty()) {
    out.raw("X-Forwarded-For: ").raw(received).raw(", ").raw(client.peer_text).raw("\r\n");
  } else {
    out.field("X-Forwarded-For: ", address);
  }
  const auto sent_host = headers.value_of(Name::kXForwardedHost);
  out.field("X-Forwarded-Host: ",
            is_trusted && !sent_host.empty() ? sent_host : exchange.request->authority);
  const auto sent_port = headers.value_of(Name::kXForwardedPort);
  if (is_trusted && !sent_port.empty()) {
    out.field("X-Forwarded-Port: ", sent_port);
  } else {
    out.field("X-Forwarded-Port: ", client.server_port);
  }
  out.field("X-Forwarded-Proto: ", exchange.scheme);
  out.field("X-Forwarded-Scheme: ", exchange.scheme);
  out.field("X-Scheme: ", exchange.scheme);
  out.field("X-Original-Forwarded-For: ", received);
  out.field("X-Original-Forwarded-Host: ", sent_host);
}

/// The upstream is told of our span instead of the client's.
void write_trace(const telemetry::RequestTrace& trace, Writer& out) {
  std::string text;
  telemetry::append_traceparent(text, trace.upstream());
  out.field("traceparent: ", text);
  out.field("tracestate: ", trace.state);
}

bool is_replaced(const filters::Exchange& exchange, const http::Header& header) {
  return std::ranges::any_of(exchange.response_headers, [&](const filters::AddedHeader& added) {
    return base::equals_ignoring_case(added.name, header.name);
  });
}

/// The text is made once a second for each worker.
std::string_view date_line(base::WallTime now) {
  thread_local std::time_t second = -1;
  thread_local std::string line;
  if (const auto current = std::chrono::system_clock::to_time_t(now); current != second) {
    second = current;
    line = fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(second));
  }
  return line;
}

std::size_t size_of_added(const filters::Exchange& exchange) {
  std::size_t size = 0;
  for (const auto& added : exchange.response_headers) {
    size += added.name.size() + added.value.size() + 4;
  }
  return size;
}

}  // namespace

void ClientSide::set_peer(const base::Address& address) {
  peer = base::unmapped(address);
  peer_text = peer.to_string();
}

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

void write_request_head(const filters::Exchange& exchange, const ClientSide& client,
                        const snapshot::Backend& backend, const UpstreamBody& body,
                        std::string& out) {
  const auto& request = *exchange.request;
  // The Host line goes on as it came unless another host is asked for.
  const bool keeps_host = backend.virtual_host.empty() && !request.is_absolute;
  const auto* trace = exchange.trace;
  auto replaced = kReplacedInRequest;
  if (trace != nullptr) {
    replaced.add(Name::kTraceparent);
    replaced.add(Name::kTracestate);
  }
  // What was received stands at most three times: as it came, and in two fields of ours.
  const auto bound = 3 * request.size + backend.virtual_host.size() + exchange.request_id.size() +
                     1024 + (trace == nullptr ? 0 : trace->state.size() + 128);
  overwrite(out, bound, [&](Writer& writer) {
    if (!request.is_absolute && request.line.ends_with(" HTTP/1.1\r\n")) {
      writer.raw(request.line);
    } else {
      writer.raw(request.method).raw(" ").raw(request.path_and_query).raw(" HTTP/1.1\r\n");
    }
    if (!keeps_host) {
      writer.field("Host: ", backend.virtual_host.empty() ? request.authority
                                                          : std::string_view(backend.virtual_host));
    } else if (request.authority.empty()) {
      writer.raw("Host: _\r\n");
    }
    copy_fields(request.headers, writer, [&](const http::Header& header) {
      return !replaced.has(header.id) && !header.value.empty() &&
             (keeps_host || header.id != Name::kHost);
    });
    if (request.upgrades_to_websocket) writer.raw("Upgrade: websocket\r\nConnection: upgrade\r\n");
    writer.field("X-Request-ID: ", exchange.request_id);
    write_forwarded(exchange, client, writer);
    if (trace != nullptr) write_trace(*trace, writer);
    if (body.is_chunked) {
      writer.raw("Transfer-Encoding: chunked\r\n");
    } else if (body.has_length) {
      writer.field("Content-Length: ", body.length);
    }
    writer.raw("\r\n");
  });
}

void write_response_head(const http::ResponseHead& response, const filters::Exchange& exchange,
                         const ResponseFraming& framing, base::WallTime now, std::string& out) {
  const bool replaces = !exchange.response_headers.empty();
  overwrite(out, response.size + size_of_added(exchange) + 256, [&](Writer& writer) {
    writer.raw("HTTP/1.1").raw(response.line.substr(8));
    copy_fields(response.headers, writer, [&](const http::Header& header) {
      return header.id != Name::kServer && !(replaces && is_replaced(exchange, header));
    });
    writer.raw(kServerLine);
    for (const auto& added : exchange.response_headers) {
      writer.raw(added.name).raw(": ").raw(added.value).raw("\r\n");
    }
    if (!response.headers.has(Name::kDate)) writer.raw(date_line(now));
    if (response.status == 101) {
      writer.raw("Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");
      return;
    }
    if (framing.is_chunked) writer.raw("Transfer-Encoding: chunked\r\n");
    writer.raw(framing.closes ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
  });
}

void append_local_reply(std::uint16_t status, std::string_view location,
                        const filters::Exchange& exchange, bool closes, bool wants_body,
                        base::WallTime now, std::string& out) {
  const auto reason = http::status_text(status);
  const auto page = fmt::format(
      "<html>\r\n<head><title>{0} {1}</title></head>\r\n<body>\r\n<center><h1>{0} {1}</h1>"
      "</center>\r\n<hr><center>penstock</center>\r\n</body>\r\n</html>\r\n",
      status, reason);
  fmt::format_to(std::back_inserter(out),
                 "HTTP/1.1 {} {}\r\n{}Content-Type: text/html\r\nContent-Length: {}\r\n", status,
                 reason, date_line(now), page.size());
  if (!location.empty()) out.append("Location: ").append(location).append("\r\n");
  out.append(kServerLine);
  for (const auto& added : exchange.response_headers) {
    out.append(added.name).append(": ").append(added.value).append("\r\n");
  }
  out.append(closes ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
  if (wants_body) out.append(page);
}

}  // namespace penstock::session
