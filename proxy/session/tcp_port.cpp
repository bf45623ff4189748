#include "proxy/session/tcp_port.h"

#include <algorithm>

#include "proxy/routing/server_names.h"
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
  note_sharers();
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
  note_sharers();
  const auto& had = std::get<snapshot::Stream>(*before);
  const bool is_same = had.owner == stream().owner;
  // A shared port has nothing to say of how long sessions last.
  const auto& drain = is_same && stream().delegates.empty() ? stream().drain : had.drain;
  if (!drain.ends_on_change) return;
  end_all(is_same ? base::EndReason::kSpecChanged : base::EndReason::kPortClosed);
}

/// Of HTTPS nobody asks who they are: there may be thousands.
void TcpPort::note_sharers() {
  sharers_.clear();
  if (stream().entrance != snapshot::StreamEntrance::kPort) return;
  for (const auto& each : stream().delegates) sharers_.push_back(each.stream);
  std::ranges::sort(sharers_);
  const auto repeats = std::ranges::unique(sharers_);
  sharers_.erase(repeats.begin(), repeats.end());
}

const snapshot::StreamDelegate* TcpPort::delegate_for(std::string_view server_name) const {
  return routing::find_delegate(stream().delegates, server_name);
}

std::shared_ptr<TcpPort> TcpPort::port_of(const snapshot::StreamDelegate& delegate) const {
  return ports_ == nullptr ? nullptr : ports_->find(delegate.stream);
}

std::shared_ptr<TcpPort> TcpPort::sole_delegate() const {
  return sharers_.size() == 1 && ports_ != nullptr ? ports_->find(sharers_.front()) : nullptr;
}

bool TcpPort::may_admit(const base::Address& client) const {
  return std::ranges::any_of(sharers_, [&](const std::string& name) {
    const auto port = ports_ == nullptr ? nullptr : ports_->find(name);
    return port && admits(port->stream().access, client);
  });
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

void TcpPort::show_sessions(BusiestSessions& busiest) const {
  for (const auto& session : sessions_) {
    if (!busiest.offer(session)) return;
  }
}

void TcpPort::accept(net::Listener::Accepted accepted) {
  if (auto pass = gate_.try_enter()) take(std::move(accepted), nullptr, std::move(*pass));
}

void TcpPort::take(net::Listener::Accepted accepted, std::unique_ptr<Arrival> arrival,
                   base::Gate::Pass pass) {
  auto session =
      std::make_unique<TcpSession>(shared_from_this(), std::move(accepted), std::move(arrival));
  base::spawn("TCP stream", TcpSession::serve(std::move(session), std::move(pass)));
}

}  // namespace penstock::session
