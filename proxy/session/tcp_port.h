#pragma once
// One TCP port of one worker: its listener, its settings as they are now, and the sessions that
// came through it. Sessions outlive the port: each holds it, and keeps the settings that it began
// with.
#include <boost/intrusive/list.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/end_reason.h"
#include "proxy/base/gate.h"
#include "proxy/net/client_hello.h"
#include "proxy/net/listener.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/session/live_report.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/stream.h"

namespace penstock::session {

/// A session in the list of its port, as long as it runs.
class LiveSession : public Described,
                    public boost::intrusive::list_base_hook<
                        boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  /// Closes both sides; the session then ends by itself, in a later turn of the loop.
  virtual void end(base::EndReason reason) = 0;
  /// Endpoints have changed: does this session's one go on?
  virtual void check_endpoint() = 0;

 protected:
  ~LiveSession() = default;
};
using LiveSessions =
    boost::intrusive::list<LiveSession, boost::intrusive::constant_time_size<false>>;

/// What is known of a connection that another stream, or the HTTPS listener, has begun with.
struct Arrival {
  std::optional<net::ProxyAddresses> named;  // by the PROXY header
  net::ClientHello hello;
  std::string early;  // bytes of the client from the hello on
};

class TcpPorts;

class TcpPort final : public std::enable_shared_from_this<TcpPort> {
 public:
  /// `ports`, where the delegates of a shared port are found, outlives it.
  TcpPort(WorkerParts& worker, base::Gate& gate, snapshot::PartPtr part,
          const TcpPorts* ports = nullptr);

  /// Opens the port, where the stream has one to open. Fails with errno.
  base::IoResult<void> open();
  /// Other settings of the same port: for the sessions that begin from now on.
  void update(snapshot::PartPtr part);
  /// No new sessions but those of clients that are connected already.
  void drain() { listener_.close_after_waiting(); }
  /// The port is gone.
  void retire();
  void check_endpoints();
  void end_all(base::EndReason reason);
  void show_sessions(BusiestSessions& busiest) const;
  void accept(net::Listener::Accepted accepted);
  /// One that has been let in already, and has begun elsewhere.
  void take(net::Listener::Accepted accepted, std::unique_ptr<Arrival> arrival,
            base::Gate::Pass pass);

  // Of a port that streams share by names.
  /// Who has the name now, or null.
  const snapshot::StreamDelegate* delegate_for(std::string_view server_name) const;
  std::shared_ptr<TcpPort> port_of(const snapshot::StreamDelegate& delegate) const;
  /// Who has every name there is, so that nobody needs the hello; null where several share.
  std::shared_ptr<TcpPort> sole_delegate() const;
  /// Whether anybody's access list admits the client.
  bool may_admit(const base::Address& client) const;

  // For its sessions.
  WorkerParts& worker() { return worker_; }
  const snapshot::PartPtr& part() const { return part_; }
  const std::shared_ptr<telemetry::StreamSeries>& series() const { return series_; }
  LiveSessions& sessions() { return sessions_; }

 private:
  void note_sharers();
  const snapshot::Stream& stream() const { return std::get<snapshot::Stream>(*part_); }

  WorkerParts& worker_;
  base::Gate& gate_;
  snapshot::PartPtr part_;
  const TcpPorts* ports_;
  std::vector<std::string> sharers_;  // of a port that streams share: the names of their parts
  std::shared_ptr<telemetry::StreamSeries> series_;
  net::Listener listener_;
  LiveSessions sessions_;
};

}  // namespace penstock::session
