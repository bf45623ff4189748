#pragma once
// One TCP port of one worker: its listener, its settings as they are now, and the sessions that
// came through it. Sessions outlive the port: each holds it, and keeps the settings that it began
// with.
#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>

#include "proxy/base/end_reason.h"
#include "proxy/base/gate.h"
#include "proxy/net/listener.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/stream.h"

namespace penstock::session {

/// A session in the list of its port, as long as it runs.
class LiveSession : public boost::intrusive::list_base_hook<
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

class TcpPort final : public std::enable_shared_from_this<TcpPort> {
 public:
  TcpPort(WorkerParts& worker, base::Gate& gate, snapshot::PartPtr part);

  /// Fails with errno.
  base::IoResult<void> open();
  /// Other settings of the same port: for the sessions that begin from now on.
  void update(snapshot::PartPtr part);
  /// No new sessions but those of clients that are connected already.
  void drain() { listener_.close_after_waiting(); }
  /// The port is gone.
  void retire();
  void check_endpoints();
  void end_all(base::EndReason reason);
  void accept(net::Listener::Accepted accepted);

  // For its sessions.
  WorkerParts& worker() { return worker_; }
  const snapshot::PartPtr& part() const { return part_; }
  const std::shared_ptr<telemetry::StreamSeries>& series() const { return series_; }
  LiveSessions& sessions() { return sessions_; }

 private:
  const snapshot::Stream& stream() const { return std::get<snapshot::Stream>(*part_); }

  WorkerParts& worker_;
  base::Gate& gate_;
  snapshot::PartPtr part_;
  std::shared_ptr<telemetry::StreamSeries> series_;
  net::Listener listener_;
  LiveSessions sessions_;
};

}  // namespace penstock::session
