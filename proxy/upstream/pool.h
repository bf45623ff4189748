#pragma once
// Idle connections to endpoints, of one worker. The one used last is taken first, so that those no
// longer needed age out. A connection is kept only after a complete, clean exchange.
#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "proxy/base/clock.h"
#include "proxy/snapshot/global.h"
#include "proxy/upstream/endpoint.h"

namespace penstock::upstream {

/// `Connection` has `created` (SteadyTime), `requests` (count) and `bool is_quiet()`: nothing has
/// arrived and the peer has not closed.
template <class Connection>
class IdlePool {
 public:
  void configure(const snapshot::UpstreamKeepalive& settings) { settings_ = settings; }

  /// A live connection to the endpoint with the same settings key (what its TLS is like), or null.
  std::unique_ptr<Connection> take(const Endpoint& endpoint, std::uint64_t key,
                                   base::SteadyTime now) {
    auto found = by_endpoint_.find(&endpoint);
    if (found == by_endpoint_.end()) return nullptr;
    auto& entries = found->second;
    for (auto entry = entries.begin(); entry != entries.end();) {
      const auto current = entry++;
      if ((*current)->key != key) continue;
      auto connection = std::move((*current)->connection);
      const bool is_usable = !has_aged((**current), *connection, now) && connection->is_quiet();
      forget(*current);
      if (is_usable) return connection;
      // `forget` may have erased the list itself.
      found = by_endpoint_.find(&endpoint);
      if (found == by_endpoint_.end()) return nullptr;
    }
    return nullptr;
  }

  /// Keeps the connection unless a limit says no; the oldest of all makes room for it.
  void put(EndpointPtr endpoint, std::uint64_t key, std::unique_ptr<Connection> connection,
           base::SteadyTime now) {
    if (settings_.connections == 0 || endpoint->is_retired ||
        connection->requests >= settings_.requests ||
        now - connection->created >= settings_.max_age) {
      return;
    }
    while (oldest_first_.size() >= settings_.connections) forget(oldest_first_.begin());
    const auto* raw = endpoint.get();
    const auto place = oldest_first_.insert(
        oldest_first_.end(), Entry{std::move(endpoint), key, now, std::move(connection), {}});
    auto& entries = by_endpoint_[raw];
    place->in_endpoint = entries.insert(entries.begin(), place);
  }

  /// Closes what has idled too long, has aged, or leads to an endpoint that is gone.
  void sweep(base::SteadyTime now) {
    for (auto entry = oldest_first_.begin(); entry != oldest_first_.end();) {
      const auto current = entry++;
      if (current->endpoint->is_retired || has_aged(*current, *current->connection, now)) {
        forget(current);
      }
    }
  }

  void clear() {
    by_endpoint_.clear();
    oldest_first_.clear();
  }
  std::size_t size() const { return oldest_first_.size(); }

 private:
  struct Entry;
  using Place = typename std::list<Entry>::iterator;
  struct Entry {
    EndpointPtr endpoint;
    std::uint64_t key;
    base::SteadyTime since;
    std::unique_ptr<Connection> connection;
    typename std::list<Place>::iterator in_endpoint;
  };

  bool has_aged(const Entry& entry, const Connection& connection, base::SteadyTime now) const {
    return now - entry.since >= settings_.idle_timeout ||
           now - connection.created >= settings_.max_age;
  }

  void forget(Place place) {
    const auto found = by_endpoint_.find(place->endpoint.get());
    found->second.erase(place->in_endpoint);
    if (found->second.empty()) by_endpoint_.erase(found);
    oldest_first_.erase(place);
  }

  snapshot::UpstreamKeepalive settings_;
  std::list<Entry> oldest_first_;
  std::unordered_map<const Endpoint*, std::list<Place>> by_endpoint_;
};

}  // namespace penstock::upstream
