#include "proxy/base/end_reason.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace penstock::base {
namespace {

using enum EndReason;

constexpr std::array<EndReasonRow, kEndReasons> kRows{{
    {kClientClosed, "client_closed", 200, "The client ended first, in order: its FIN came first."},
    {kUpstreamClosed, "upstream_closed", 200,
     "The upstream ended first, in order. HTTP: before its answer was complete."},
    {kAnswered, "answered", 200, "UDP: all answers that the session waits for have come."},
    {kClientReset, "client_reset", 200,
     "The client broke its connection off: RST, or bytes were for it that it took no more."},
    {kUpstreamReset, "upstream_reset", 200, "The upstream broke its connection off: RST."},
    {kClientLost, "client_lost", 200,
     "TCP gave the client up: no acknowledgement came, of data or of keepalive probes."},
    {kUpstreamLost, "upstream_lost", 200, "TCP gave the upstream up in the same way."},
    {kConnectRefused, "connect_refused", 502,
     "The endpoint refused: nothing listens there. UDP: ICMP port unreachable."},
    {kConnectTimeout, "connect_timeout", 502,
     "The endpoint did not answer within the connect timeout."},
    {kConnectUnreachable, "connect_unreachable", 502,
     "There is no way to the endpoint: ICMP host or network unreachable, or no route."},
    {kUpstreamTlsFailure, "upstream_tls_failure", 502,
     "TLS with the upstream failed: handshake, certificate or record."},
    {kBadResponse, "bad_response", 502, "HTTP: what the upstream answered is no HTTP."},
    {kIdleTimeout, "idle_timeout", 200, "No byte moved either way for the idle timeout."},
    {kClientIdleTimeout, "client_idle_timeout", 200,
     "The client sent nothing for its own idle timeout."},
    {kUpstreamIdleTimeout, "upstream_idle_timeout", 200,
     "The upstream sent nothing for its own idle timeout. HTTP: for the read timeout."},
    {kHalfCloseTimeout, "half_close_timeout", 200,
     "One side had ended, and the other did not within the half-close timeout."},
    {kMaxSession, "max_session", 200, "The longest time that a session may last was over."},
    {kNoRule, "no_rule", 502, "No rule of the port takes this client."},
    {kNoEndpoint, "no_endpoint", 502, "No backend has an endpoint that may be asked, or room."},
    {kDenied, "denied", 403, "The access list does not admit the client."},
    {kLimit, "limit", 503, "Beyond a limit of connections, sessions or their rate."},
    {kEvicted, "evicted", 503,
     "UDP: the port was full, and an older session that nobody had confirmed made room."},
    {kBadProxyHeader, "bad_proxy_header", 400,
     "A PROXY header was wanted, and none came that can be read from one who is trusted."},
    {kTlsFailure, "tls_failure", 500, "TLS with the client failed: handshake or record."},
    {kDrained, "drained", 200, "The proxy was ending, and the time for open sessions was over."},
    {kPortClosed, "port_closed", 200, "The object that opened the port is gone."},
    {kSpecChanged, "spec_changed", 200,
     "The object has changed, and sessions are to end where it does."},
    {kEndpointRemoved, "endpoint_removed", 200,
     "The endpoint has left its Service, and sessions are to end where it does."},
    {kOutOfResources, "out_of_resources", 500,
     "The proxy has no descriptor, local port or memory left for the session."},
    {kInternal, "internal", 500, "Something that has no word of its own; the error line names it."},
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

EndReason connect_failure(error_code code, bool is_timeout) {
  if (is_timeout || is_one_of(code, {ETIMEDOUT})) return kConnectTimeout;
  if (is_one_of(code, {ECONNREFUSED, ECONNRESET})) return kConnectRefused;
  if (is_of_the_way(code) || is_one_of(code, {EACCES, EPERM})) return kConnectUnreachable;
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
