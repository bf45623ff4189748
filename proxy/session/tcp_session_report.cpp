// What a TCP session tells of itself while it runs, and to who follows its port.
#include "proxy/base/ip_net.h"
#include "proxy/session/stream_tap.h"
#include "proxy/session/tcp_session.h"

namespace penstock::session {

std::uint16_t TcpSession::client_port() const {
  return named_ ? named_->source.port() : socket_peer_.port();
}

SessionReport TcpSession::describe() const {
  const auto age = std::chrono::duration_cast<base::Duration>(worker_.clock.now() - begun_);
  SessionReport out;
  out.stream = stream_->name;
  out.owner = stream_->owner;
  out.protocol = "TCP";
  out.phase = word_of(phase_);
  out.client = base::format_endpoint(peer_, client_port());
  if (!tries_.empty()) {
    const auto& endpoint = tries_.back().address;
    out.endpoint = base::format_endpoint(endpoint.address(), endpoint.port());
  }
  out.age_ms = static_cast<std::uint64_t>(age.count());
  out.received = client_.received();
  out.sent = client_.sent();
  return out;
}

void TcpSession::write_tap(base::EndReason reason, base::Duration time) {
  TappedEnd end;
  end.reason = reason;
  end.endpoint = tries_.empty() ? nullptr : &tries_.back().address;
  end.time = time;
  end.received = client_.received();
  end.sent = client_.sent();
  // A session that ends in order may have failed at another endpoint before.
  if (base::is_failure(reason)) {
    end.side = side_;
    end.code = code_;
    end.detail = tls_failure_;
  }
  tap_end(worker_, {stream_->name, stream_->owner, &peer_, client_port()}, end);
}

}  // namespace penstock::session
