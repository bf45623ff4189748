#include "proxy/session/session_pass.h"

namespace penstock::session {

std::optional<SessionPass> SessionPass::enter(std::shared_ptr<base::StreamLimits> limits,
                                              const snapshot::ConnectionLimits& most,
                                              const base::Address& client, base::SteadyTime now) {
  SessionPass pass;
  pass.limits_ = std::move(limits);
  auto& counts = *pass.limits_;
  if (most.new_per_second != 0 && !counts.rate.admit(now, most.new_per_second)) {
    return std::nullopt;
  }
  if (most.new_per_second_per_address != 0 &&
      !counts.rates().admit(client, now, most.new_per_second_per_address)) {
    return std::nullopt;
  }
  if (most.connections != 0) {
    if (!counts.sessions.try_enter(most.connections)) return std::nullopt;
    pass.is_counted_ = true;
  }
  if (most.connections_per_address != 0) {
    if (!counts.sessions_by_address.try_enter(client, most.connections_per_address)) {
      return std::nullopt;
    }
    pass.counted_address_ = client;
  }
  return pass;
}

std::optional<SessionPass> SessionPass::enter(std::shared_ptr<base::StreamLimits> limits,
                                              std::uint32_t most) {
  if (!limits->sessions.try_enter(most)) return std::nullopt;
  SessionPass pass;
  pass.limits_ = std::move(limits);
  pass.is_counted_ = true;
  return pass;
}

void SessionPass::leave() {
  if (!limits_) return;
  if (is_counted_) limits_->sessions.leave();
  if (counted_address_) limits_->sessions_by_address.leave(*counted_address_);
  limits_.reset();
}

}  // namespace penstock::session
