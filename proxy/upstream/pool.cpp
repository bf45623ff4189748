#include "proxy/upstream/pool.h"

#include <utility>

namespace penstock::upstream {

bool IdleConnections::has_aged(const IdleConnection& connection, base::SteadyTime now) const {
  return now - connection.since_ >= settings_.idle_timeout ||
         now - connection.created >= settings_.max_age;
}

std::unique_ptr<IdleConnection> IdleConnections::unlink(IdleConnection& connection) {
  (connection.older_ != nullptr ? connection.older_->newer_ : oldest_) = connection.newer_;
  (connection.newer_ != nullptr ? connection.newer_->older_ : newest_) = connection.older_;
  if (connection.below_ != nullptr) connection.below_->above_ = connection.above_;
  (connection.above_ != nullptr ? connection.above_->below_ : connection.endpoint_->last_idle) =
      connection.below_;
  connection.older_ = connection.newer_ = connection.below_ = connection.above_ = nullptr;
  connection.endpoint_.reset();
  --size_;
  return std::unique_ptr<IdleConnection>(&connection);
}

std::unique_ptr<IdleConnection> IdleConnections::take(const Endpoint& endpoint, std::uint64_t key,
                                                      base::SteadyTime now) {
  for (auto* each = endpoint.last_idle; each != nullptr;) {
    auto& connection = *each;
    each = each->below_;
    if (connection.key_ != key) continue;
    const bool is_usable = !has_aged(connection, now) && connection.is_quiet();
    auto taken = unlink(connection);
    if (is_usable) return taken;
  }
  return nullptr;
}

void IdleConnections::put(const EndpointPtr& endpoint, std::uint64_t key,
                          std::unique_ptr<IdleConnection> connection, base::SteadyTime now) {
  if (settings_.connections == 0 || endpoint->is_retired ||
      connection->requests >= settings_.requests ||
      now - connection->created >= settings_.max_age) {
    return;
  }
  while (size_ >= settings_.connections) unlink(*oldest_);
  auto& kept = *connection.release();
  kept.endpoint_ = endpoint;
  kept.key_ = key;
  kept.since_ = now;
  kept.older_ = newest_;
  (newest_ != nullptr ? newest_->newer_ : oldest_) = &kept;
  newest_ = &kept;
  kept.below_ = endpoint->last_idle;
  if (kept.below_ != nullptr) kept.below_->above_ = &kept;
  endpoint->last_idle = &kept;
  ++size_;
}

void IdleConnections::sweep(base::SteadyTime now) {
  for (auto* each = oldest_; each != nullptr;) {
    auto& connection = *each;
    each = each->newer_;
    if (connection.endpoint_->is_retired || has_aged(connection, now) || !connection.is_quiet()) {
      unlink(connection);
    }
  }
}

void IdleConnections::clear() {
  while (oldest_ != nullptr) unlink(*oldest_);
}

}  // namespace penstock::upstream
