#pragma once
// What the replicas of one installation tell each other: each keeps a ReplicaReport of its own in
// step with what its proxies serve, and the one that leads reads those of the others, so that
// "served by 3 of 3" means all of them. Runs on the controller's thread.
//
// A replica is counted from its first table on, so that one that starts makes nothing look
// unfinished, until it says that it ends or is not heard of for a while. Where the kind is not
// installed the log says so, and each replica counts itself alone.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/kube/watch.h"
#include "controller/status/replica_report.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"

namespace penstock::status {

class ReplicaBoard {
 public:
  struct Options {
    std::string name_space;
    std::string pod;  // names the report
    std::string uid;  // of the pod, with which the report goes; empty: it is deleted at the end
    std::chrono::milliseconds renew_every{10'000};
    std::chrono::milliseconds stale_after{35'000};
    /// A report that nobody has renewed for so long is deleted.
    std::chrono::milliseconds forgotten_after{300'000};
    /// A proxy that is started again within this time has not been away.
    std::chrono::milliseconds absence{10'000};
  };
  struct Events {
    /// `renewed` is set here.
    std::function<ReplicaReport()> mine;
    /// What others serve may have changed.
    std::function<void()> on_change;
  };
  struct Other {
    std::string pod;
    ReplicaReport report;
    std::uint64_t reached = 0;  // of our own versions, the last one that it is known to have held
  };
  using LastUnder = std::function<std::uint64_t(const std::string& config)>;

  ReplicaBoard(asio::io_context& io, kube::Client& client, Options options, Events events,
               kube::Random random);

  /// What we serve may have changed.
  void update();
  void set_leading(bool is_leading);
  /// Whether the others' reports have been read; what is said before counts too few. True as well
  /// where they cannot be read for a while.
  bool is_known() const { return watcher_ != nullptr && (watcher_->is_synced() || has_waited_); }
  /// Those that are heard of. `last_under` tells the last of our versions of that name.
  std::vector<Other> others(const LastUnder& last_under);
  /// Takes our report away, then calls `on_done`. Final.
  void stop(std::function<void()> on_done);

 private:
  struct Known {
    Other other;
    base::SteadyTime heard_at;
    bool was_fresh = true;
  };

  void say();
  void say_later(std::chrono::milliseconds delay);
  void take_said(const ReplicaReport& said, const kube::Response& response);
  void take(const objects::Change& change);
  void look_for_silence();
  bool is_fresh(const Known& known, base::SteadyTime now) const;
  std::string path_of(const std::string& pod) const;

  asio::io_context& io_;
  kube::Client& client_;
  Options options_;
  Events events_;
  kube::Random random_;
  std::string group_;
  ReplicaReport said_;
  base::SteadyTime said_at_;
  base::SteadyTime served_at_;  // last seen with a proxy
  bool is_due_ = false;
  bool is_stopped_ = false;
  bool is_absent_logged_ = false;
  bool has_waited_ = false;
  std::unique_ptr<kube::Watcher> watcher_;
  std::map<std::string, Known> known_;  // by pod
  kube::Call saying_;
  kube::Call deleting_;
  bool is_saying_ = false;
  kube::OneTimer say_timer_;
  kube::OneTimer renew_timer_;
  kube::OneTimer silence_timer_;
};

}  // namespace penstock::status
