#include "proxy/base/connection_ids.h"

#include <algorithm>

#include "proxy/base/limit.h"

namespace penstock::base {
namespace {

/// A call adds one at most, so that this many keep up, and none is long.
constexpr int kMostAgedAtOnce = 16;

}  // namespace

std::optional<ConnectionId> ConnectionId::of(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > kLongest) return std::nullopt;
  ConnectionId id;
  std::ranges::copy(bytes, id.bytes_.begin());
  id.size_ = static_cast<std::uint8_t>(bytes.size());
  return id;
}

std::size_t ConnectionIds::Hash::operator()(const ConnectionId& id) const {
  return secret_hash(id.bytes());
}

std::optional<ConnectionIds::Known> ConnectionIds::hold(std::string_view id,
                                                        SteadyTime forget_before) {
  const std::lock_guard lock(mutex_);
  age(forget_before);
  return hold_one(id);
}

std::optional<ConnectionIds::Known> ConnectionIds::hold_prefix(std::string_view bytes,
                                                               SteadyTime forget_before) {
  const std::lock_guard lock(mutex_);
  age(forget_before);
  for (auto size = std::min(bytes.size(), ConnectionId::kLongest); size > 0; --size) {
    if (of_size_[size] == 0) continue;
    if (auto known = hold_one(bytes.substr(0, size))) return known;
  }
  return std::nullopt;
}

bool ConnectionIds::learn(const ConnectionId& id, const TcpEndpoint& endpoint, std::size_t most,
                          SteadyTime forget_before) {
  const std::lock_guard lock(mutex_);
  age(forget_before);
  if (const auto found = entries_.find(id); found != entries_.end()) {
    if (found->second.endpoint != endpoint) return false;
    hold_entry(found->second);
    return true;
  }
  if (entries_.size() >= most) {
    if (released_.empty()) return false;
    erase_released_first();
  }
  auto& entry = entries_[id];
  entry.endpoint = endpoint;
  entry.holders = 1;
  ++of_size_[id.size()];
  return true;
}

void ConnectionIds::release(const ConnectionId& id, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || --found->second.holders != 0) return;
  found->second.released = now;
  found->second.place = released_.insert(released_.end(), id);
}

void ConnectionIds::forget(const ConnectionId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end() && --found->second.holders == 0) erase(found);
}

std::size_t ConnectionIds::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::optional<ConnectionIds::Known> ConnectionIds::hold_one(std::string_view bytes) {
  const auto id = ConnectionId::of(bytes);
  const auto found = id ? entries_.find(*id) : entries_.end();
  if (found == entries_.end()) return std::nullopt;
  hold_entry(found->second);
  return Known{*id, found->second.endpoint};
}

void ConnectionIds::hold_entry(Entry& entry) {
  if (entry.holders++ == 0) released_.erase(entry.place);
}

void ConnectionIds::age(SteadyTime before) {
  for (int i = 0; i < kMostAgedAtOnce && !released_.empty(); ++i) {
    if (entries_.at(released_.front()).released >= before) return;
    erase_released_first();
  }
}

void ConnectionIds::erase_released_first() {
  const auto found = entries_.find(released_.front());
  released_.pop_front();
  erase(found);
}

void ConnectionIds::erase(Entries::iterator at) {
  --of_size_[at->first.size()];
  entries_.erase(at);
}

}  // namespace penstock::base
