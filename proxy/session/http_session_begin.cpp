// How a client's HTTP connection begins: PROXY header, whose the server name is, TLS.
#include <algorithm>
#include <string>
#include <utility>

#include "proxy/base/ip_net.h"
#include "proxy/session/http_session.h"
#include "proxy/session/proxy_header.h"
#include "proxy/session/stream_tls.h"
#include "proxy/session/tcp_port.h"

namespace penstock::session {
namespace {

/// A host of HTTP has the name more closely than a wildcard does. What a name is equal to was
/// decided where both could be seen: the delegate is there because no host may have it.
bool is_closer(const routing::RoutingTable& table, const snapshot::StreamDelegate& delegate,
               std::string_view server_name) {
  if (delegate.server_name == server_name) return false;
  const auto* host = table.find_host(server_name);
  if (host == nullptr) return false;
  const auto& name = host->host->name;
  return name == server_name ||
         (name.starts_with("*.") && name.size() > delegate.server_name.size());
}

}  // namespace

base::Task<bool> HttpSession::begin() {
  const auto table = worker_.table;
  std::optional<net::ProxyAddresses> named;
  if (table->global().forwarded.uses_proxy_protocol) {
    const bool is_good = co_await read_proxy_header(table->global().forwarded, named);
    if (!is_good) co_return false;
  }
  if (!side_.is_tls) co_return true;
  std::string early;
  if (worker_.https_names) {
    const bool is_http = co_await keeps(named, early);
    if (!is_http) co_return false;
  }
  // Other settings may come while the client takes its time.
  const auto context = worker_.tls_server;
  if (!context) co_return false;
  const auto secured = co_await stream_.handshake(context->new_session(), std::move(early));
  if (!secured) {
    worker_.metrics.handshake_failures.add();
    auto& entry = worker_.errors.note(telemetry::ErrorReason::kTlsHandshake, worker_.clock.wall());
    entry.client = base::unmapped(side_.peer).to_string();
  }
  co_return secured.has_value();
}

base::Task<bool> HttpSession::keeps(const std::optional<net::ProxyAddresses>& named,
                                    std::string& early) {
  std::string nothing;
  auto entry = co_await read_hello(stream_, snapshot::StartTls::kOff, std::move(nothing));
  early = std::move(entry.early);
  const auto names = worker_.https_names;
  // What is no hello is refused by the handshake, with its alert.
  if (!entry.is_through || !names) co_return true;
  const auto& server_name = entry.hello.server_name;
  const auto* delegate = names->delegate_for(server_name);
  if (delegate == nullptr || is_closer(*worker_.table, *delegate, server_name)) co_return true;
  const auto port = names->port_of(*delegate);
  if (!port) co_return false;
  Arrival arrival{named, true, std::move(entry.hello), std::move(early)};
  net::Listener::Accepted accepted{stream_.release(), side_.socket_peer};
  port->accept(std::move(accepted), std::move(arrival));
  co_return false;
}

/// False where the connection must end: no header, a malformed one, or a peer that is not trusted.
base::Task<bool> HttpSession::read_proxy_header(const snapshot::ForwardedHeaders& forwarded,
                                                std::optional<net::ProxyAddresses>& named) {
  const bool is_trusted =
      forwarded.trusted_networks.empty() ||
      std::ranges::any_of(forwarded.trusted_networks,
                          [&](const base::IpNet& net) { return net.contains(side_.peer); });
  if (!is_trusted) co_return false;
  const auto header = co_await session::read_proxy_header(stream_);
  if (header.state != net::ProxyHeader::State::kDone) co_return false;
  named = header.addresses;
  if (!named) co_return true;
  side_.has_proxy_header = true;
  side_.set_peer(named->source.address());
  side_.is_tls_before = named->destination.port() == kHttpsPort;
  co_return true;
}

}  // namespace penstock::session
