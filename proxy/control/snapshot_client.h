#pragma once
// The proxy's end of the conversation with the controller, and the one place where versions are
// adopted or refused. It starts from the state file, so that a proxy serves with no controller
// present; it connects, and connects again, for as long as it lives.
//
// An update is checked, compiled and handed to the workers as one set. What is not valid changes
// nothing and is answered with reasons. Runs on the control thread.
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "proxy/base/asio.h"
#include "proxy/control/state_file.h"
#include "proxy/routing/compile.h"
#include "proxy/snapshot/wire.h"

namespace penstock::control {

class SnapshotClient {
 public:
  /// Gives a table to the workers; they answer with `on_serving`.
  using Adopt = std::function<void(std::shared_ptr<const routing::RoutingTable>,
                                   const routing::TableChange&)>;

  /// `state` may be absent: then nothing is kept.
  SnapshotClient(asio::io_context& io, std::string socket_path, std::optional<StateFile> state,
                 Adopt adopt);
  ~SnapshotClient();

  /// Adopts what the state file holds, then connects.
  void start();
  /// Every worker serves this version.
  void on_serving(std::uint64_t version, const std::vector<std::string>& problems);
  /// Endpoints that fail their active checks: for the controller, now and whenever it comes.
  void report(snapshot::HealthReport report);
  /// The version that every worker serves; 0 = none.
  std::uint64_t serving() const { return serving_; }
  bool is_connected() const { return is_greeted_; }
  const snapshot::Snapshot& snapshot() const { return snapshot_; }
  /// What was handed to the workers last; never null.
  const std::shared_ptr<const routing::RoutingTable>& table() const { return compiler_.last(); }

 private:
  void connect();
  void read();
  void take_messages();
  void take(snapshot::Message message);
  void greet(const snapshot::Hello& hello);
  void adopt_or_refuse(const snapshot::Update& update);
  std::vector<std::string> try_adopt(const snapshot::Update& update);
  void refuse(std::uint64_t version, std::vector<std::string> reasons);
  void send(const snapshot::Message& message);
  void write();
  void disconnect(const std::string& why);

  asio::io_context& io_;
  std::string path_;
  std::optional<StateFile> state_;
  Adopt adopt_;
  snapshot::Snapshot snapshot_;  // with every update that was handed to the workers
  routing::Compiler compiler_;
  std::list<snapshot::Update> unsaved_;  // handed to the workers, not yet served by all
  std::uint64_t serving_ = 0;
  std::vector<std::string> problems_;
  snapshot::HealthReport health_;
  bool has_health_ = false;  // of an upstream with a check

  base::LocalSocket socket_;
  asio::steady_timer retry_timer_;
  std::chrono::milliseconds retry_after_;
  std::string buffer_;
  std::unique_ptr<snapshot::FrameReader> frames_;
  std::list<std::string> outgoing_;
  bool is_greeted_ = false;
  bool is_loss_reported_ = false;
  std::uint64_t generation_ = 0;  // of the connection: late completions of an older one are ignored
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace penstock::control
