#pragma once
// One UDP session: a client's address and port, and the endpoint that its datagrams go to through a
// socket of its own, so that only this endpoint can answer, and its ICMP messages are heard. Owned
// by its UdpPort; everything on its worker.
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/descriptor.h"
#include "proxy/base/end_reason.h"
#include "proxy/base/gate.h"
#include "proxy/base/ip_net.h"
#include "proxy/net/datagrams.h"
#include "proxy/net/reactor.h"
#include "proxy/session/live_report.h"
#include "proxy/session/quic_ids.h"
#include "proxy/session/session_pass.h"
#include "proxy/session/stream_recording.h"
#include "proxy/session/stream_rules.h"
#include "proxy/session/worker_parts.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

class UdpPort;

/// What makes datagrams belong together: who sends, and which of our addresses to.
struct UdpKey {
  base::UdpEndpoint client;
  net::LocalAddress local;

  bool operator==(const UdpKey&) const = default;
};

class UdpSession final : public net::Watched, public Described, private telemetry::Connection {
 public:
  UdpSession(UdpPort& port, UdpKey key, base::Gate::Pass pass);
  ~UdpSession() { close(); }
  UdpSession(const UdpSession&) = delete;
  UdpSession& operator=(const UdpSession&) = delete;

  /// Tells who follows the port of it; first of all.
  void show_begin();
  /// Where connection ids are the key: what the first datagram tells of them.
  void read_ids(std::string_view first);
  /// Chooses an endpoint and connects to it. False where there is none: `failure` says why.
  bool open();
  base::EndReason failure() const { return failure_; }
  /// Datagrams of the client.
  void send(std::span<const std::string_view> datagrams);
  /// Counts one that is about to be sent; true when the session takes no more after it.
  bool take_request();
  /// Closes the socket, gives back what the session holds and writes its log line.
  void finish(base::EndReason reason);

  const UdpKey& key() const { return key_; }
  const base::Address& client() const { return client_; }
  base::SteadyTime last_active() const { return last_active_; }
  /// The client has sent again after it was answered: it is no made-up address.
  bool is_settled() const { return is_settled_; }
  /// Its endpoint has left the upstream.
  bool has_retired_endpoint() const { return lease_ && lease_->endpoint()->is_retired; }
  bool is_ended() const { return is_ended_; }
  std::uint64_t carried() const override { return bytes_received_ + bytes_sent_; }
  SessionReport describe() const override;

 private:
  friend class UdpPort;  // which keeps the place in its lists
  using Place = std::list<UdpSession>::iterator;

  /// What the endpoint is chosen by; nothing: the client's address.
  std::optional<std::uint64_t> hash_key() const;
  bool open_known();
  void take_backend(BackendChoice choice);
  /// False: `code_` says why.
  bool connect(upstream::UpstreamState& upstream, upstream::Lease lease);
  base::IoResult<void> try_endpoint(upstream::Lease lease);
  bool may_try_again() const;
  base::SteadyTime forget_ids_before() const;
  void on_events(std::uint32_t events) override;
  void close() override;
  base::Address server_address() const override { return base::unmapped(key_.local.address); }
  std::string_view tls_protocol() const override { return {}; }
  std::string_view tls_cipher() const override { return {}; }
  void hear_client(std::span<const std::string_view> datagrams);
  void answer(std::span<const net::Datagram> datagrams);
  void fail(base::error_code code);
  void touch();
  bool is_done() const;
  void write_log(base::EndReason reason, base::Duration time, bool is_logged);
  void write_error(base::EndReason reason, base::error_code code = {});
  void write_tap(base::EndReason reason, base::Duration time);
  void record(base::Side from, std::span<const std::string_view> datagrams);
  std::string proxy_header() const;
  upstream::UpstreamState* state() const;

  UdpPort& port_;
  std::shared_ptr<telemetry::StreamSeries> series_;  // that it was begun in
  WorkerParts& worker_;
  UdpKey key_;
  base::Address client_;
  std::optional<base::Gate::Pass> pass_;
  std::optional<upstream::Lease> lease_;
  base::Descriptor socket_;
  bool is_coalescing_ = false;  // what it receives
  std::string upstream_;        // name
  SessionPass backend_pass_;
  std::unique_ptr<QuicIds> ids_;  // where the stream's key is a connection id
  bool sends_proxy_header_ = false;
  /// The first datagram until it is answered: another endpoint may have to be asked.
  std::string first_;
  bool has_asked_ = false;
  bool is_first_sent_ = false;  // to the present endpoint
  std::vector<upstream::EndpointPtr> tried_;
  std::vector<telemetry::UpstreamTry> tries_;
  base::EndReason failure_ = base::EndReason::kNoEndpoint;
  base::error_code code_;                       // of the last failure
  std::unique_ptr<StreamRecording> recording_;  // where somebody follows it with bytes
  std::uint64_t serial_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t responses_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_sent_ = 0;
  base::SteadyTime begun_;
  base::SteadyTime asked_;
  base::SteadyTime last_active_;
  bool is_settled_ = false;
  bool is_bound_ = true;  // datagrams of the client come here
  bool is_counted_by_address_ = false;
  bool is_in_settled_ = false;
  bool is_ended_ = false;
  Place place_;
};

}  // namespace penstock::session
