#include "proxy/session/udp_port.h"

#include <algorithm>
#include <array>

#include "proxy/base/ip_net.h"
#include "proxy/session/stream_log.h"
#include "proxy/session/stream_rules.h"

namespace penstock::session {
namespace {

using base::EndReason;

constexpr base::Duration kSweep{100};
/// A session makes room for another one only after so long without a datagram.
constexpr std::chrono::seconds kEvictable{1};
/// In a drain: a session that has been quiet for so long waits for nothing.
constexpr std::chrono::seconds kQuiet{1};
constexpr std::chrono::seconds kLongestDrain{5};
/// Batches in a row, so that a busy port does not starve the worker's other work.
constexpr int kMostBatches = 8;

}  // namespace

UdpPort::UdpPort(UdpParts& parts, snapshot::PartPtr part)
    : parts_(parts),
      part_(std::move(part)),
      limits_(parts.worker.limits.of(stream().name)),
      series_(series_of(parts.worker, stream())),
      listener_(parts.worker.reactor, [this] { receive(); }),
      sweep_timer_(parts.worker.reactor, [this] { sweep(); }) {}

base::IoResult<void> UdpPort::open() {
  if (const auto parsed = base::parse_address(stream().address)) address_ = *parsed;
  auto opened = listener_.open(stream().address, stream().port);
  if (opened) listener_.start();
  return opened;
}

void UdpPort::update(snapshot::PartPtr part) {
  const auto before = std::exchange(part_, std::move(part));
  series_ = series_of(worker(), stream());
  if (std::get<snapshot::UdpStream>(*before).access == stream().access) return;
  for (auto* list : {&fresh_, &settled_}) {
    for (auto each = list->begin(); each != list->end();) {
      auto& session = *each++;
      if (!admits(stream().access, session.client())) end(session, EndReason::kDenied);
    }
  }
  bury();
}

void UdpPort::close() {
  listener_.close();
  for (auto* list : {&fresh_, &settled_}) {
    while (!list->empty()) end(list->front(), EndReason::kPortClosed);
  }
  bury();
}

void UdpPort::drain() {
  drain_until_ = parts_.worker.clock.now() + kLongestDrain;
  if (bound_.empty() && fresh_.empty() && settled_.empty()) return close();
  schedule_sweep();
}

void UdpPort::show_sessions(BusiestSessions& busiest) const {
  for (const auto* list : {&settled_, &fresh_}) {
    for (const auto& session : *list) {
      if (!busiest.offer(session)) return;
    }
  }
}

void UdpPort::receive() {
  for (int i = 0; i < kMostBatches; ++i) {
    const auto got = batch().receive(listener_.descriptor());
    if (!got) break;
    for (auto rest = *got; !rest.empty();) {
      const auto part = rest.first(std::min(rest.size(), net::kMostSegments));
      take(part);
      rest = rest.subspan(part.size());
    }
    bury();
    if (batch().has_drained()) break;
  }
}

/// What one client has sent goes on in one call.
void UdpPort::take(std::span<const net::Datagram> datagrams) {
  constexpr auto kMost = net::kMostSegments;
  std::array<UdpSession*, kMost> sessions;
  for (std::size_t i = 0; i < datagrams.size(); ++i) sessions[i] = session_of(datagrams[i]);
  std::array<std::string_view, kMost> pieces;
  for (std::size_t i = 0; i < datagrams.size(); ++i) {
    auto* session = sessions[i];
    if (session == nullptr) continue;
    std::size_t count = 0;
    for (std::size_t j = i; j < datagrams.size(); ++j) {
      if (sessions[j] != session) continue;
      pieces[count++] = datagrams[j].bytes;
      sessions[j] = nullptr;
    }
    if (!session->is_ended()) session->send({pieces.data(), count});
  }
}

UdpSession* UdpPort::session_of(const net::Datagram& datagram) {
  const auto rate = stream().packets_per_second_per_address;
  const auto now = worker().clock.now();
  if (rate != 0 && !limits_->rates().admit(datagram.peer.address(), now, rate)) {
    count_dropped(1);
    return nullptr;
  }
  UdpKey key{datagram.peer, datagram.local};
  const auto found = bound_.find(key);
  auto* session = found == bound_.end() ? nullptr : found->second;
  if (session != nullptr && session->has_retired_endpoint() && has_endpoint()) {
    end(*session, EndReason::kEndpointRemoved);
    session = nullptr;
  }
  if (session == nullptr) session = begin(std::move(key), datagram.bytes);
  if (session != nullptr && session->take_request()) {
    session->is_bound_ = false;
    bound_.erase(session->key());
  }
  return session;
}

UdpSession* UdpPort::begin(UdpKey key, std::string_view first) {
  const auto client = base::unmapped(key.client.address());
  auto pass = worker().is_draining ? std::nullopt : parts_.gate.try_enter();
  if (!pass) {
    count_dropped(1);
    return nullptr;
  }
  const bool is_admitted = admits(stream().access, client);
  if (!is_admitted || !enter_limits(client)) {
    refuse(std::move(key), std::move(*pass), is_admitted ? EndReason::kLimit : EndReason::kDenied);
    return nullptr;
  }
  auto& session = fresh_.emplace_back(*this, std::move(key), std::move(*pass));
  session.place_ = std::prev(fresh_.end());
  session.is_counted_by_address_ = stream().max_sessions_per_address != 0;
  bound_.emplace(session.key(), &session);
  session.series_ = series_;
  series_->active.add();
  schedule_sweep();
  session.show_begin();
  session.read_ids(first);
  if (session.open()) return &session;
  count_dropped(1);
  end(session, session.failure());
  return nullptr;
}

void UdpPort::refuse(UdpKey key, base::Gate::Pass pass, EndReason reason) {
  count_dropped(1);
  if (!refusal_lines_.admit(worker().clock.now())) {
    series_->end(reason, base::Duration(0));
    return;
  }
  UdpSession refused(*this, std::move(key), std::move(pass));
  refused.series_ = series_;
  refused.show_begin();
  refused.finish(reason);
}

bool UdpPort::enter_limits(const base::Address& client) {
  auto& sessions = limits_->sessions;
  const auto most = stream().max_sessions;
  if (!sessions.try_enter(most) && !(evict() && sessions.try_enter(most))) return false;
  const auto most_of_one = stream().max_sessions_per_address;
  if (most_of_one == 0 || limits_->sessions_by_address.try_enter(client, most_of_one)) return true;
  sessions.leave();
  return false;
}

bool UdpPort::evict() {
  if (fresh_.empty()) return false;
  auto& oldest = fresh_.front();
  if (worker().clock.now() - oldest.last_active() < kEvictable) return false;
  end(oldest, EndReason::kEvicted);
  return true;
}

bool UdpPort::has_endpoint() const {
  return std::ranges::any_of(stream().backends, [&](const snapshot::StreamBackend& backend) {
    const auto slot = parts_.worker.table->upstream_slot(backend.upstream);
    const auto* state = slot ? parts_.worker.upstream(*slot) : nullptr;
    return backend.weight > 0 && state != nullptr && !state->empty();
  });
}

void UdpPort::end(UdpSession& session, EndReason reason) {
  if (session.is_ended()) return;
  if (session.is_bound_) bound_.erase(session.key());
  limits_->sessions.leave();
  if (session.is_counted_by_address_) limits_->sessions_by_address.leave(session.client());
  session.series_->active.subtract();
  session.finish(reason);
  ended_.splice(ended_.end(), list_of(session), session.place_);
}

void UdpPort::move_to_back(UdpSession& session) {
  auto& from = list_of(session);
  session.is_in_settled_ = session.is_settled();
  auto& to = list_of(session);
  to.splice(to.end(), from, session.place_);
}

std::uint64_t UdpPort::reply(const UdpKey& key, std::span<const std::string_view> datagrams) {
  std::uint64_t bytes = 0;
  while (!datagrams.empty()) {
    const auto sent =
        net::send_datagrams(listener_.descriptor(), {&key.client, &key.local}, {}, datagrams);
    for (const auto& each : datagrams.first(sent.count)) bytes += each.size();
    datagrams = datagrams.subspan(sent.count);
    if (datagrams.empty()) break;
    const auto lost = sent.error == asio::error::would_block ? datagrams.size() : 1;
    count_dropped(lost);
    datagrams = datagrams.subspan(lost);
  }
  series_->bytes_sent.add(bytes);
  return bytes;
}

void UdpPort::schedule_sweep() {
  if (is_sweep_due_ || (fresh_.empty() && settled_.empty())) return;
  is_sweep_due_ = true;
  sweep_timer_.start(kSweep);
}

void UdpPort::end_idle(Sessions& sessions, base::SteadyTime before) {
  const auto reason = worker().is_draining ? EndReason::kDrained : EndReason::kIdleTimeout;
  while (!sessions.empty() && sessions.front().last_active() <= before) {
    end(sessions.front(), reason);
  }
}

void UdpPort::sweep() {
  is_sweep_due_ = false;
  const auto now = worker().clock.now();
  base::SteadyTime::duration idle = stream().idle_timeout;
  if (worker().is_draining)
    idle = now >= drain_until_ ? idle.zero() : std::min<base::SteadyTime::duration>(idle, kQuiet);
  end_idle(fresh_, now - idle);
  end_idle(settled_, now - idle);
  bury();
  if (worker().is_draining && fresh_.empty() && settled_.empty()) return close();
  schedule_sweep();
}

}  // namespace penstock::session
