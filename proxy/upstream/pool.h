#pragma once
// Idle connections to endpoints, of one worker. The one used last is taken first, so that those no
// longer needed age out. A connection is kept only after a complete, clean exchange. Keeping and
// taking one touches a few pointers: the links live in the connections.
#include <cstdint>
#include <memory>

#include "proxy/base/clock.h"
#include "proxy/snapshot/global.h"
#include "proxy/upstream/endpoint.h"

namespace penstock::upstream {

/// What a connection must be to be kept. Its links belong to the pool.
struct IdleConnection {
  explicit IdleConnection(base::SteadyTime now) : created(now) {}
  IdleConnection(const IdleConnection&) = delete;
  IdleConnection& operator=(const IdleConnection&) = delete;
  virtual ~IdleConnection() = default;
  /// Nothing has arrived and the peer has not closed.
  virtual bool is_quiet() = 0;

  base::SteadyTime created;
  std::uint32_t requests = 0;
  base::SteadyTime idle_since() const { return since_; }

 private:
  friend class IdleConnections;
  EndpointPtr endpoint_;  // while it is idle
  std::uint64_t key_ = 0;
  base::SteadyTime since_;
  IdleConnection* older_ = nullptr;  // of all
  IdleConnection* newer_ = nullptr;
  IdleConnection* below_ = nullptr;  // of its endpoint
  IdleConnection* above_ = nullptr;
};

class IdleConnections {
 public:
  IdleConnections() = default;
  IdleConnections(const IdleConnections&) = delete;
  IdleConnections& operator=(const IdleConnections&) = delete;
  ~IdleConnections() { clear(); }

  void configure(const snapshot::UpstreamKeepalive& settings) { settings_ = settings; }

  /// A live connection to the endpoint with the same settings key (what its TLS is like), or null.
  std::unique_ptr<IdleConnection> take(const Endpoint& endpoint, std::uint64_t key,
                                       base::SteadyTime now);
  /// Keeps the connection unless a limit says no; the oldest of all makes room for it.
  void put(const EndpointPtr& endpoint, std::uint64_t key,
           std::unique_ptr<IdleConnection> connection, base::SteadyTime now);
  /// Closes what has idled too long, has aged, was closed by its peer, or leads to an endpoint that
  /// is gone.
  void sweep(base::SteadyTime now);
  void clear();
  std::size_t size() const { return size_; }

 private:
  bool has_aged(const IdleConnection& connection, base::SteadyTime now) const;
  std::unique_ptr<IdleConnection> unlink(IdleConnection& connection);

  snapshot::UpstreamKeepalive settings_;
  IdleConnection* oldest_ = nullptr;
  IdleConnection* newest_ = nullptr;
  std::size_t size_ = 0;
};

/// The same for one type of connection.
template <class Connection>
class IdlePool : public IdleConnections {
 public:
  std::unique_ptr<Connection> take(const Endpoint& endpoint, std::uint64_t key,
                                   base::SteadyTime now) {
    auto taken = IdleConnections::take(endpoint, key, now);
    return std::unique_ptr<Connection>(static_cast<Connection*>(taken.release()));
  }
};

}  // namespace penstock::upstream
