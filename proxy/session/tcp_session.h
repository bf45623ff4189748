#pragma once
// One TCP stream: a client's connection carried to an endpoint, byte for byte.
#include <memory>

#include <optional>
#include <string>
#include <vector>

#include "proxy/base/gate.h"
#include "proxy/net/listener.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/session/stream_rules.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/stream.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

class TcpSession final : private telemetry::Connection {
 public:
  TcpSession(WorkerParts& worker, net::Listener::Accepted accepted, snapshot::PartPtr stream);

  static base::Task<void> serve(std::unique_ptr<TcpSession> session, base::Gate::Pass pass);

 private:
  base::Task<void> run();
  base::Task<std::uint16_t> carry();
  /// False where the connection must end.
  base::Task<bool> read_header();
  std::string proxy_header(snapshot::ProxyProtocolOut version) const;
  base::Task<bool> send_header(net::Stream& upstream, snapshot::ProxyProtocolOut version);
  /// TLS of the client's side, where the port has it. False where the connection must end.
  base::Task<bool> secure_client();
  /// What goes before the client's bytes towards a backend with TLS, or one of SMTP.
  bool needs_preparing(const snapshot::StreamBackend& backend) const;
  base::Task<base::IoResult<void>> prepare(net::Stream& upstream,
                                           const snapshot::StreamBackend& backend);
  void finish(std::uint16_t status);
  base::Address server_address() const override { return server_address_; }
  std::string_view tls_protocol() const override;
  std::string_view tls_cipher() const override;
  /// What stands for the client where an endpoint is chosen by a hash.
  std::uint64_t hash_key() const;
  BackendChoice choose_backend(const snapshot::StreamBackend* except);
  /// A connection to an endpoint of the backend, or null after the tries that the stream allows.
  base::Task<std::unique_ptr<UpstreamConnection>> connect(const snapshot::StreamBackend& backend);

  WorkerParts& worker_;
  std::shared_ptr<const routing::RoutingTable> table_;
  snapshot::PartPtr part_;
  const snapshot::Stream& stream_;
  net::Stream client_;
  base::Address peer_;
  base::TcpEndpoint socket_peer_;
  std::optional<net::ProxyAddresses> named_;  // by the PROXY header
  std::string early_;       // bytes that were looked at and belong to the upstream
  std::string greeting_;    // of an SMTP server, where the client is to see it
  net::ClientHello hello_;  // of a port with TLS
  base::Address server_address_;
  SessionPass pass_;  // of the port
  bool is_logged_ = false;
  std::uint64_t serial_ = 0;
  base::SteadyTime begun_;
  std::vector<telemetry::UpstreamTry> tries_;
};

}  // namespace penstock::session
