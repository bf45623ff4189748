#pragma once
// One client's HTTP connection from accept to close: TLS, then request after request. Between two
// requests it holds nothing but itself: no buffer, no parsed head, no nested coroutine.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proxy/base/gate.h"
#include "proxy/filters/exchange.h"
#include "proxy/http/h1_parser.h"
#include "proxy/net/listener.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/session/forward.h"
#include "proxy/session/heads.h"
#include "proxy/session/worker_parts.h"

namespace penstock::session {

class HttpSession final : private telemetry::Connection {
 public:
  HttpSession(WorkerParts& worker, net::Listener::Accepted accepted, bool is_tls,
              std::uint16_t port);

  /// Serves until the connection ends; the session lives as long as the coroutine.
  static base::Task<void> serve(std::unique_ptr<HttpSession> session, base::Gate::Pass pass);

 private:
  static constexpr std::uint16_t kHttpsPort = 443;
  enum class Next : std::uint8_t { kRequest, kClose };

  /// False where the connection ends, or a stream has it, and the pass with it.
  base::Task<bool> begin(base::Gate::Pass& pass);
  base::Task<bool> read_proxy_header(const snapshot::ForwardedHeaders& forwarded,
                                     std::optional<net::ProxyAddresses>& named);
  /// False where a stream has the server name, and now the connection. Else `early` is what was
  /// read of it.
  base::Task<bool> keeps(const std::optional<net::ProxyAddresses>& named, std::string& early,
                         base::Gate::Pass& pass);
  void begin_waiting();
  void end_waiting();
  base::Task<Next> serve_one();
  /// Who speaks HTTP to a port of TLS is told so, as nginx does, where OpenSSL knows the method.
  base::Task<void> refuse_clear_text();
  void begin_serving(const routing::RoutingTable& table);
  void end_serving(bool is_parsed);
  base::Task<bool> read_head(http::HeadFailure& failure);
  void begin_exchange(const routing::RoutingTable& table);
  base::Task<Next> answer(const routing::RoutingTable& table);
  base::Task<Next> forward(const routing::CompiledRoute& route, bool may_go_on);
  base::Task<Next> reply(std::uint16_t status, std::string_view location, Next next);
  base::Task<void> linger();
  void set_scheme();
  void set_request_id();
  /// The connection has come to nothing.
  void note(base::EndReason reason) {
    note_connection(worker_.errors, reason, side_.peer, worker_.clock.wall());
  }
  void finish(bool is_parsed);
  telemetry::HttpRecord record(bool is_parsed) const;

  base::Address server_address() const override { return stream_.local_endpoint().address(); }
  std::string_view tls_protocol() const override;
  std::string_view tls_cipher() const override;

  WorkerParts& worker_;
  net::Stream stream_;
  net::Deadline deadline_;
  IdleClient idle_{stream_};
  ClientSide side_;
  WorkspacePool::Loan work_{nullptr, {nullptr}};  // while a request is here
  std::uint32_t served_ = 0;
  base::SteadyTime begun_;         // of this exchange
  std::uint64_t sent_before_ = 0;  // bytes of the connection before this exchange
  std::uint64_t received_before_ = 0;
};

}  // namespace penstock::session
