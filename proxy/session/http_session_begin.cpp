// How a client's HTTP connection begins: PROXY header, whose the server name is, TLS.
#include <algorithm>
#include <string>
#include <utility>

#include "proxy/base/ip_net.h"
#include "proxy/routing/server_names.h"
#include "proxy/session/http_session.h"
#include "proxy/session/proxy_header.h"
#include "proxy/session/stream_tls.h"
#include "proxy/session/tcp_port.h"

namespace penstock::session {

base::Task<bool> HttpSession::begin(base::Gate::Pass& pass) {
  const auto table = worker_.table;
  std::optional<net::ProxyAddresses> named;
  if (table->global().forwarded.uses_proxy_protocol) {
    const bool is_good = co_await read_proxy_header(table->global().forwarded, named);
    if (!is_good) {
      note(base::EndReason::kBadProxyHeader);
      co_return false;
    }
  }
  if (!side_.is_tls) co_return true;
  std::string early;
  if (worker_.https_names) {
    const bool is_http = co_await keeps(named, early, pass);
    if (!is_http) co_return false;
  }
  // Other settings may come while the client takes its time.
  const auto context = worker_.tls_server;
  if (!context) co_return false;
  const auto secured = co_await stream_.handshake(context->new_session(), std::move(early));
  if (!secured) {
    worker_.metrics.handshake_failures.add();
    note(base::EndReason::kTlsFailure);
    if (stream_.fall_back_to_clear_http()) co_await refuse_clear_text();
  }
  co_return secured.has_value();
}

base::Task<void> HttpSession::refuse_clear_text() {
  work_ = worker_.workspaces.lend();
  work_->request.keeps_alive = false;
  work_->request.method = {};
  begun_ = worker_.clock.now();
  received_before_ = stream_.received();
  sent_before_ = stream_.sent();
  const auto table = worker_.table;
  begin_serving(*table);
  co_await reply(400, {}, Next::kClose);
  end_serving(false);
}

base::Task<bool> HttpSession::keeps(const std::optional<net::ProxyAddresses>& named,
                                    std::string& early, base::Gate::Pass& pass) {
  std::string nothing;
  auto entry = co_await read_hello(stream_, snapshot::StartTls::kOff, std::move(nothing));
  early = std::move(entry.early);
  const auto names = worker_.https_names;
  // What is no hello is refused by the handshake, with its alert.
  if (!entry.is_through || !names) co_return true;
  const auto* delegate = routing::find_https_delegate(
      *worker_.table, std::get<snapshot::Stream>(*names->part()), entry.hello.server_name);
  if (delegate == nullptr) co_return true;
  const auto port = names->port_of(*delegate);
  if (!port) co_return false;
  auto arrival = std::make_unique<Arrival>(named, std::move(entry.hello), std::move(early));
  net::Listener::Accepted accepted{stream_.release(), side_.socket_peer};
  port->take(std::move(accepted), std::move(arrival), std::move(pass));
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
