#pragma once
// One TCP stream: a client's connection carried to an endpoint, byte for byte.
#include <memory>

#include "proxy/base/gate.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/stream.h"

namespace penstock::session {

class TcpSession {
 public:
  TcpSession(WorkerParts& worker, base::TcpSocket socket, snapshot::PartPtr stream);

  static base::Task<void> serve(std::unique_ptr<TcpSession> session, base::Gate::Pass pass);

 private:
  base::Task<void> run();
  const snapshot::StreamBackend* choose_backend();
  /// A connection to an endpoint of the backend, or null after the tries that the stream allows.
  base::Task<std::unique_ptr<UpstreamConnection>> connect(const snapshot::StreamBackend& backend);

  WorkerParts& worker_;
  std::shared_ptr<const routing::RoutingTable> table_;
  snapshot::PartPtr part_;
  const snapshot::Stream& stream_;
  net::Stream client_;
  base::Address peer_;
};

}  // namespace penstock::session
