#pragma once
// Hands snapshots to the proxy over a Unix socket. Keeps what is published now; a proxy that comes
// with the version that stands gets nothing, one that comes with another gets everything, and from
// then on only what changes. While an update is on its way, later changes wait and travel together.
//
// The socket is for this user alone: mode 0600, and the peer's credentials are asked for.
// One thread: that of the io_context.
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "controller/publish/config_history.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/snapshot/wire.h"

namespace penstock::publish {

struct ServerEvents {
  std::function<void(const snapshot::Adopted&)> on_adopted;
  std::function<void(const snapshot::Refused&)> on_refused;
  std::function<void(const snapshot::HealthReport&)> on_health = {};
  /// A proxy has come or gone; how many there are now.
  std::function<void(std::size_t proxies)> on_proxies;
};

class SnapshotServer {
 public:
  /// Takes the place of a socket file that nobody listens on.
  static base::Result<std::unique_ptr<SnapshotServer>> listen(asio::io_context& io,
                                                              const std::string& path,
                                                              ServerEvents events);
  ~SnapshotServer();

  /// The changed parts, null for those that are gone. Returns the version that holds them.
  std::uint64_t publish(const std::map<snapshot::PartKey, snapshot::PartPtr>& changes);
  std::uint64_t version() const { return current_.version; }
  /// Those that have said who they are; readers are none.
  std::size_t proxies() const;
  /// How many of them serve this version or a later one.
  std::size_t proxies_at(std::uint64_t version) const;
  /// The version that all of them serve, or a later one; 0 where there are none.
  std::uint64_t serving() const;
  const ConfigHistory& history() const { return history_; }
  /// Bytes of updates sent so far.
  std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  class Session;
  using Acceptor = asio::basic_socket_acceptor<asio::local::stream_protocol, base::Executor>;

  SnapshotServer(asio::io_context& io, std::string path, Acceptor acceptor, ServerEvents events);
  void accept();
  void drop(Session* session);

  asio::io_context& io_;
  std::string path_;
  Acceptor acceptor_;
  ServerEvents events_;
  snapshot::Snapshot current_;
  ConfigHistory history_;
  std::list<std::shared_ptr<Session>> sessions_;
  std::uint64_t bytes_sent_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace penstock::publish
