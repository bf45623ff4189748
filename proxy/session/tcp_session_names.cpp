// A session of a port that several streams share by server names.
#include <utility>

#include "proxy/session/stream_log.h"
#include "proxy/session/stream_tls.h"
#include "proxy/session/tcp_session.h"

namespace penstock::session {

base::Task<std::optional<base::EndReason>> TcpSession::go_by_name() {
  using enum base::EndReason;
  auto owner = port_->sole_delegate();
  if (!owner) {
    phase_ = Phase::kTlsHandshake;
    net::Deadline deadline(worker_.wheel, client_);
    deadline.expire_in(kTlsWait);
    auto entry = co_await read_hello(client_, stream_->tls.start_tls, std::move(early_));
    deadline.cancel();
    early_ = std::move(entry.early);
    if (!entry.is_through) {
      tls_failure_ = deadline.has_expired() ? "no hello within 10 s" : std::move(entry.failure);
      co_return kTlsFailure;
    }
    hello_ = std::move(entry.hello);
    has_hello_ = true;
    phase_ = Phase::kChoosing;
    // The port may be shared with others by now than when the connection came.
    const auto* delegate = port_->delegate_for(hello_.server_name);
    if (delegate != nullptr) owner = port_->port_of(*delegate);
  }
  if (!owner) co_return kNoRule;
  move_to(std::move(owner));
  co_return std::nullopt;
}

void TcpSession::move_to(std::shared_ptr<TcpPort> port) {
  series_->active.subtract();
  unlink();
  port_ = std::move(port);
  table_ = worker_.table;
  part_ = port_->part();
  stream_ = &std::get<snapshot::Stream>(*part_);
  series_ = port_->series();
  series_->active.add();
  port_->sessions().push_back(*this);
  is_logged_ = wants_log(worker_, stream_->log);
  if (is_logged_ && server_.port() == 0) server_ = client_.local_endpoint();
}

}  // namespace penstock::session
