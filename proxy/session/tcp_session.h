#pragma once
// One TCP stream: a client's connection carried to an endpoint, byte for byte.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/end_reason.h"
#include "proxy/base/gate.h"
#include "proxy/net/listener.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/session/relay.h"
#include "proxy/session/stream_error.h"
#include "proxy/session/stream_rules.h"
#include "proxy/session/tcp_port.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/stream.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

class TcpSession final : public LiveSession, private telemetry::Connection {
 public:
  /// `arrival` is null where nothing has been read.
  TcpSession(std::shared_ptr<TcpPort> port, net::Listener::Accepted accepted,
             std::unique_ptr<Arrival> arrival);

  ~TcpSession();

  static base::Task<void> serve(std::unique_ptr<TcpSession> session, base::Gate::Pass pass);
  void end(base::EndReason reason) override;
  void check_endpoint() override;
  std::uint64_t carried() const override { return client_.received() + client_.sent(); }
  SessionReport describe() const override;

 private:
  base::Task<void> run();
  base::Task<base::EndReason> carry();
  base::Task<base::EndReason> carry_bytes(UpstreamConnection& connection);
  /// False where the connection must end.
  base::Task<bool> read_header();
  /// Of a port that several share: to the stream that has the name in the hello. Why the connection
  /// must end, or no reason.
  base::Task<std::optional<base::EndReason>> go_by_name();
  /// From here on the session is one of this port, by all of its settings.
  void move_to(std::shared_ptr<TcpPort> port);
  std::string proxy_header(snapshot::ProxyProtocolOut version) const;
  base::Task<base::IoResult<void>> send_header(net::Stream& upstream,
                                               snapshot::ProxyProtocolOut version);
  /// TLS of the client's side, where the port has it. False where the connection must end.
  base::Task<bool> secure_client();
  /// What goes before the client's bytes towards a backend with TLS, or one of SMTP.
  bool needs_preparing(const snapshot::StreamBackend& backend) const;
  /// The endpoint speaks before the client has TLS.
  bool is_greeted_by_server() const;
  base::Task<base::IoResult<void>> prepare(net::Stream& upstream,
                                           const snapshot::StreamBackend& backend);
  /// The server has spoken first: TLS with the client, then with the endpoint as the client asked.
  /// Why it came to nothing, or no reason. No other endpoint is tried: the client has this one's
  /// greeting.
  base::Task<std::optional<base::EndReason>> secure_both(UpstreamConnection& upstream,
                                                         const snapshot::StreamBackend& backend);
  base::EndReason broken(base::Side side, base::error_code code);
  void finish(base::EndReason reason);
  void write_log(base::EndReason reason, base::Duration time);
  void write_error(base::EndReason reason);
  void write_tap(base::EndReason reason, base::Duration time);
  /// What was read before the relay begins.
  void record(base::Side from, std::string_view bytes) {
    if (recording_ != nullptr && !bytes.empty()) recording_->add(from, bytes);
  }
  base::Address server_address() const override { return server_.address(); }
  std::string_view tls_protocol() const override;
  std::string_view tls_cipher() const override;
  /// What stands for the client where an endpoint is chosen by a hash.
  std::uint64_t hash_key() const;
  /// By the PROXY header, where there was one.
  std::uint16_t client_port() const;
  const snapshot::StreamRule* rule() const;
  /// A connection to an endpoint of the backend, or null after the tries that the stream allows;
  /// `failure_` says why.
  base::Task<std::unique_ptr<UpstreamConnection>> connect(const snapshot::StreamBackend& backend);
  void connect_failed(upstream::Endpoint& endpoint, base::error_code code, bool is_timeout);

  std::shared_ptr<TcpPort> port_;
  WorkerParts& worker_;
  std::shared_ptr<const routing::RoutingTable> table_;
  snapshot::PartPtr part_;
  const snapshot::Stream* stream_;  // inside of it
  std::shared_ptr<telemetry::StreamSeries> series_;
  net::Stream client_;
  UpstreamConnection* upstream_ = nullptr;  // while there is one
  base::Address peer_;
  base::TcpEndpoint socket_peer_;
  std::optional<net::ProxyAddresses> named_;  // by the PROXY header
  std::string early_;         // bytes that were looked at and belong to the upstream
  std::string greeting_;      // of an SMTP or MySQL server, where the client is to see it
  bool has_hello_ = false;    // it was read before the stream was chosen; in `early_`
  net::ClientHello hello_;    // of a port with TLS
  std::string tls_failure_;   // of the last handshake; empty where it was right
  base::TcpEndpoint server_;  // where it is asked for
  SessionPass pass_;          // of the port
  bool is_logged_ = false;
  std::uint64_t serial_ = 0;
  base::SteadyTime begun_;
  std::vector<telemetry::UpstreamTry> tries_;
  base::EndReason failure_ = base::EndReason::kNoEndpoint;  // of the last attempt to connect
  std::optional<base::EndReason> ended_by_;                 // somebody else
  RelayResult relayed_;
  std::unique_ptr<StreamRecording> recording_;  // where somebody follows it with bytes
  class Ending;
  std::unique_ptr<Ending> leaving_;  // its endpoint, which is gone
  // For the error line: what stands when the session ends.
  Phase phase_ = Phase::kProxyHeader;
  base::Side side_ = base::Side::kClient;
  base::error_code code_;
};

}  // namespace penstock::session
