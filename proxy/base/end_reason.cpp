#include "proxy/base/end_reason.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace penstock::base {
namespace {

using enum EndReason;

constexpr std::array<EndReasonRow, kEndReasons> kRows{{
    {kClientClosed, "client_closed", 200, false,
     "The client ended first, in order: its FIN came first."},
    {kUpstreamClosed, "upstream_closed", 200, false,
     "The upstream ended first, in order. HTTP: before its answer was complete."},
    {kAnswered, "answered", 200, false, "UDP: all answers that the session waits for have come."},
    {kClientReset, "client_reset", 200, true,
     "The client broke its connection off: RST, or bytes were for it that it took no more."},
    {kUpstreamReset, "upstream_reset", 200, true, "The upstream broke its connection off: RST."},
    {kClientLost, "client_lost", 200, true,
     "TCP gave the client up: no acknowledgement came, of data or of keepalive probes."},
    {kUpstreamLost, "upstream_lost", 200, true, "TCP gave the upstream up in the same way."},
    {kConnectRefused, "connect_refused", 502, true,
     "The endpoint refused: nothing listens there. UDP: ICMP port unreachable."},
    {kConnectTimeout, "connect_timeout", 502, true,
     "The endpoint did not answer within the connect timeout."},
    {kConnectUnreachable, "connect_unreachable", 502, true,
     "There is no way to the endpoint: ICMP host or network unreachable, or no route."},
    {kUpstreamTlsFailure, "upstream_tls_failure", 502, true,
     "TLS with the upstream failed: handshake, certificate or record."},
    {kBadResponse, "bad_response", 502, true,
     "What the upstream answered is no HTTP; streams with STARTTLS: no greeting of SMTP or MySQL."},
    {kBadStatus, "bad_status", 502, true,
     "HTTP: a 5xx status, or another for which proxy-next-upstream asks another endpoint."},
    {kIdleTimeout, "idle_timeout", 200, false, "No byte moved either way for the idle timeout."},
    {kClientIdleTimeout, "client_idle_timeout", 200, false,
     "The client sent nothing for its own idle timeout. HTTP: its request came too slowly."},
    {kUpstreamIdleTimeout, "upstream_idle_timeout", 200, false,
     "The upstream sent nothing for its own idle timeout. HTTP: for the read timeout."},
    {kHalfCloseTimeout, "half_close_timeout", 200, false,
     "One side had ended, and the other did not within the half-close timeout."},
    {kMaxSession, "max_session", 200, false, "The longest time that a session may last was over."},
    {kNoRule, "no_rule", 502, true,
     "No rule of the port takes this client. HTTP: no route has this host and path."},
    {kNoEndpoint, "no_endpoint", 502, true,
     "No backend has an endpoint that may be asked, or room."},
    {kDenied, "denied", 403, true,
     "The access list does not admit the client, or a broken security setting closes the route."},
    {kLimit, "limit", 503, true, "Beyond a limit of connections, sessions or their rate."},
    {kEvicted, "evicted", 503, false,
     "UDP: the port was full, and an older session that nobody had confirmed made room."},
    {kBadProxyHeader, "bad_proxy_header", 400, true,
     "A PROXY header was wanted, and none came that can be read from one who is trusted."},
    {kBadRequest, "bad_request", 400, true,
     "HTTP: what the client sent is no request, or a larger one than is allowed."},
    {kTlsFailure, "tls_failure", 500, true, "TLS with the client failed: handshake or record."},
    {kDrained, "drained", 200, false,
     "The proxy was ending, and the time for open sessions was over."},
    {kPortClosed, "port_closed", 200, false, "The object that opened the port is gone."},
    {kSpecChanged, "spec_changed", 200, false,
     "The object has changed, and sessions are to end where it does."},
    {kEndpointRemoved, "endpoint_removed", 200, false,
     "The endpoint has left its Service, and sessions are to end where it does."},
    {kOutOfResources, "out_of_resources", 500, true,
     "The proxy has no descriptor, local port or memory left for the session."},
    {kInternal, "internal", 500, true,
     "Something that has no word of its own; the error line names it."},
}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].reason != static_cast<EndReason>(i)) return false;
  }
  return true;
}
static_assert(is_in_order());

bool is_one_of(error_code code, std::initializer_list<int> numbers) {
  return code.category() == boost::system::system_category() &&
         std::ranges::find(numbers, code.value()) != numbers.end();
}

/// Of this machine, not of the peer. EAGAIN is what connect(2) says where no local port is left.
bool is_scarcity(error_code code) {
  return is_one_of(code, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EADDRINUSE, EAGAIN});
}

bool is_of_the_way(error_code code) {
  return is_one_of(code, {EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN});
}

}  // namespace

std::span<const EndReasonRow, kEndReasons> end_reasons() { return kRows; }

std::string_view word_of(EndReason reason) { return kRows[static_cast<std::size_t>(reason)].word; }

std::uint16_t status_of(EndReason reason) { return kRows[static_cast<std::size_t>(reason)].status; }

bool is_failure(EndReason reason) { return kRows[static_cast<std::size_t>(reason)].is_failure; }

EndReason connect_failure(error_code code, bool is_timeout) {
  if (is_timeout || is_one_of(code, {ETIMEDOUT})) return kConnectTimeout;
  if (is_one_of(code, {ECONNREFUSED, ECONNRESET})) return kConnectRefused;
  if (is_of_the_way(code) || is_one_of(code, {EACCES, EPERM})) return kConnectUnreachable;
  if (code == boost::system::errc::protocol_error) return kUpstreamTlsFailure;
  if (code == boost::system::errc::bad_message) return kBadResponse;
  return is_scarcity(code) ? kOutOfResources : kInternal;
}

EndReason broken(Side side, error_code code) {
  const bool is_client = side == Side::kClient;
  if (is_one_of(code, {ECONNRESET, EPIPE, ECONNREFUSED})) {
    return is_client ? kClientReset : kUpstreamReset;
  }
  if (is_of_the_way(code) || is_one_of(code, {ETIMEDOUT})) {
    return is_client ? kClientLost : kUpstreamLost;
  }
  if (code == boost::system::errc::protocol_error) {  // what net::Stream says of TLS
    return is_client ? kTlsFailure : kUpstreamTlsFailure;
  }
  return is_scarcity(code) ? kOutOfResources : kInternal;
}

}  // namespace penstock::base
