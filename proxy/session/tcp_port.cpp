#include "proxy/session/tcp_port.h"

#include "proxy/session/stream_log.h"
#include "proxy/session/tcp_session.h"

namespace penstock::session {

TcpPort::TcpPort(WorkerParts& worker, base::Gate& gate, snapshot::PartPtr part)
    : worker_(worker),
      gate_(gate),
      part_(std::move(part)),
      series_(series_of(worker, stream())),
      listener_(worker.reactor, [this](auto accepted) { accept(std::move(accepted)); }) {}

base::IoResult<void> TcpPort::open() {
  auto opened = listener_.open(stream().address, stream().port);
  if (opened) listener_.start();
  return opened;
}

void TcpPort::update(snapshot::PartPtr part) {
  part_ = std::move(part);
  series_ = series_of(worker_, stream());
  if (stream().drain.ends_on_change) end_all(base::EndReason::kSpecChanged);
}

void TcpPort::retire() {
  listener_.close();
  if (stream().drain.ends_on_change) end_all(base::EndReason::kPortClosed);
}

/// Most ports keep their sessions, and are not looked through.
void TcpPort::check_endpoints() {
  if (stream().drain.on_endpoint_removal == snapshot::EndpointRemoval::kKeep) return;
  for (auto& session : sessions_) session.check_endpoint();
}

/// Closing a session unlinks nothing yet: it ends when the loop resumes it.
void TcpPort::end_all(base::EndReason reason) {
  for (auto& session : sessions_) session.end(reason);
}

void TcpPort::accept(net::Listener::Accepted accepted) {
  auto pass = gate_.try_enter();
  if (!pass) return;
  auto session = std::make_unique<TcpSession>(shared_from_this(), std::move(accepted));
  base::spawn("TCP stream", TcpSession::serve(std::move(session), std::move(*pass)));
}

}  // namespace penstock::session
