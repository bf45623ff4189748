#pragma once
// One UDP port of one worker: its socket and its sessions. Sessions outlive changes of the port's
// settings, of the upstreams and of everything else; what they may do is asked of the latest
// settings. The number of sessions is bounded for the whole proxy.
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>

#include "proxy/base/gate.h"
#include "proxy/base/limit.h"
#include "proxy/base/line_rate.h"
#include "proxy/net/datagrams.h"
#include "proxy/net/udp_listener.h"
#include "proxy/session/udp_session.h"
#include "proxy/snapshot/udp_stream.h"

namespace penstock::session {

/// What the UDP ports of a worker share.
struct UdpParts {
  WorkerParts& worker;
  base::Gate& gate;
  net::DatagramBatch batch;
};

class UdpPort {
 public:
  UdpPort(UdpParts& parts, snapshot::PartPtr part);

  base::IoResult<void> open();
  /// Other settings of the same port.
  void update(snapshot::PartPtr part);
  /// Ends every session.
  void close();
  /// No new sessions; those that are waiting for nothing end. Closes when the last one has.
  void drain();
  void show_sessions(BusiestSessions& busiest) const;

  // For its sessions.
  WorkerParts& worker() { return parts_.worker; }
  net::DatagramBatch& batch() { return parts_.batch; }
  const snapshot::UdpStream& stream() const { return std::get<snapshot::UdpStream>(*part_); }
  telemetry::StreamSeries& series() { return *series_; }
  std::uint16_t number() const { return listener_.port(); }
  /// The one that it listens on; unspecified where it is every one.
  const base::Address& address() const { return address_; }
  /// Sends answers; the bytes that went out.
  std::uint64_t reply(const UdpKey& key, std::span<const std::string_view> datagrams);
  /// The session stays where it is in memory until `bury`: it may be what calls this.
  void end(UdpSession& session, base::EndReason reason);
  void bury() { ended_.clear(); }
  void move_to_back(UdpSession& session);
  /// Shared by the workers; made where the stream's key is a connection id.
  base::ConnectionIds& connection_ids() { return limits_->connection_ids(); }
  void count_dropped(std::uint64_t datagrams) { series_->dropped.add(datagrams); }

 private:
  using Sessions = std::list<UdpSession>;
  struct KeyHash {
    std::size_t operator()(const UdpKey& key) const {
      return base::secret_hash(key.client.address(), key.client.port());
    }
  };

  void receive();
  void take(std::span<const net::Datagram> datagrams);
  UdpSession* session_of(const net::Datagram& datagram);
  /// `first` is what the client has sent.
  UdpSession* begin(UdpKey key, std::string_view first);
  void refuse(UdpKey key, base::Gate::Pass pass, base::EndReason reason);
  bool enter_limits(const base::Address& client);
  bool evict();
  bool has_endpoint() const;
  void end_idle(Sessions& sessions, base::SteadyTime before);
  void schedule_sweep();
  void sweep();
  Sessions& list_of(const UdpSession& session) {
    return session.is_in_settled_ ? settled_ : fresh_;
  }

  UdpParts& parts_;
  snapshot::PartPtr part_;
  std::shared_ptr<base::StreamLimits> limits_;
  std::shared_ptr<telemetry::StreamSeries> series_;
  net::UdpListener listener_;
  base::Address address_;
  net::Timer sweep_timer_;
  std::unordered_map<UdpKey, UdpSession*, KeyHash> bound_;
  // Each in the order of the last datagram, the oldest first. Made-up addresses never get further
  // than the first list, and room is made from there.
  Sessions fresh_;
  Sessions settled_;
  Sessions ended_;
  bool is_sweep_due_ = false;
  base::SteadyTime drain_until_;
  base::LineRate refusal_lines_{10};  // of the access log, in a second
};

}  // namespace penstock::session
