#include "proxy/session/tcp_port.h"

#include <algorithm>

#include "proxy/session/stream_log.h"
#include "proxy/session/stream_rules.h"
#include "proxy/session/tcp_ports.h"
#include "proxy/session/tcp_session.h"

namespace penstock::session {

TcpPort::TcpPort(WorkerParts& worker, base::Gate& gate, snapshot::PartPtr part,
                 const TcpPorts* ports)
    : worker_(worker),
      gate_(gate),
      part_(std::move(part)),
      ports_(ports),
      // The HTTPS listener only asks it who has a name: no session is ever its own.
      series_(stream().entrance == snapshot::StreamEntrance::kHttps
                  ? std::make_shared<telemetry::StreamSeries>()
                  : series_of(worker, stream())),
      listener_(worker.reactor, [this](auto accepted) { accept(std::move(accepted)); }) {
  note_sole_delegate();
}

base::IoResult<void> TcpPort::open() {
  if (stream().entrance != snapshot::StreamEntrance::kPort) return {};
  auto opened = listener_.open(stream().address, stream().port);
  if (opened) listener_.start();
  return opened;
}

/// The sessions are those of the object that had the port until now.
void TcpPort::update(snapshot::PartPtr part) {
  const auto before = std::exchange(part_, std::move(part));
  if (stream().entrance != snapshot::StreamEntrance::kHttps) series_ = series_of(worker_, stream());
  note_sole_delegate();
  const auto& had = std::get<snapshot::Stream>(*before);
  const bool is_same = had.owner == stream().owner;
  // A shared port has nothing to say of how long sessions last.
  const auto& drain = is_same && stream().delegates.empty() ? stream().drain : had.drain;
  if (!drain.ends_on_change) return;
  end_all(is_same ? base::EndReason::kSpecChanged : base::EndReason::kPortClosed);
}

void TcpPort::note_sole_delegate() {
  sole_delegate_.clear();
  const auto& delegates = stream().delegates;
  if (delegates.empty() || stream().entrance != snapshot::StreamEntrance::kPort) return;
  const auto& first = delegates.front().stream;
  const bool is_sole =
      std::ranges::all_of(delegates, [&](const auto& each) { return each.stream == first; });
  if (is_sole) sole_delegate_ = first;
}

const snapshot::StreamDelegate* TcpPort::delegate_for(std::string_view server_name) const {
  return find_delegate(stream().delegates, server_name);
}

std::shared_ptr<TcpPort> TcpPort::port_of(const snapshot::StreamDelegate& delegate) const {
  return ports_ == nullptr ? nullptr : ports_->find(delegate.stream);
}

std::shared_ptr<TcpPort> TcpPort::sole_delegate() const {
  if (sole_delegate_.empty() || ports_ == nullptr) return nullptr;
  return ports_->find(sole_delegate_);
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

void TcpPort::accept(net::Listener::Accepted accepted, Arrival arrival) {
  auto pass = gate_.try_enter();
  if (!pass) return;
  auto session =
      std::make_unique<TcpSession>(shared_from_this(), std::move(accepted), std::move(arrival));
  base::spawn("TCP stream", TcpSession::serve(std::move(session), std::move(*pass)));
}

}  // namespace penstock::session
