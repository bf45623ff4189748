#pragma once
// Leader election with a coordination.k8s.io/v1 Lease, by client-go's rules: whoever holds it
// renews it; another may take it once it has seen no change for the lease's duration by its own
// clock; every write carries the resource version, so of two one is refused. Beyond those rules, a
// Lease that was deleted is its holder's still, as long as that duration has not passed.
//
// Runs on the controller's thread. on_stopped_leading comes after renew_deadline without a renewal,
// half a duration before anyone else can take over: two leaders never overlap, as far as clocks run
// at one speed.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "controller/kube/backoff.h"
#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace penstock::kube {

/// The part of a Lease that matters here.
struct LeaseRecord {
  std::string holder;  // empty: released
  int duration_seconds = 0;
  std::string acquire_time;  // MicroTime as written, compared and never computed with
  std::string renew_time;
  int transitions = 0;
  std::string metadata_json;  // as read, so that a write keeps labels and owners

  bool operator==(const LeaseRecord&) const = default;
};

base::Result<LeaseRecord> parse_lease(std::string& json);
std::string encode_lease(const LeaseRecord& record);
/// "2026-01-02T03:04:05.000006Z"
std::string format_micro_time(base::WallTime time);

struct LeaseOptions {
  std::string name_space;
  std::string name;
  std::string identity;
  std::chrono::milliseconds duration{30'000};

  std::chrono::milliseconds renew_deadline() const { return duration / 2; }
  std::chrono::milliseconds retry() const { return duration / 4; }
};

/// The rules alone, without a network. Times are given.
class LeaseView {
 public:
  explicit LeaseView(const LeaseOptions& options) : options_(options) {}

  /// What the server has now. Only a change of the record moves the time of observation.
  void observe(LeaseRecord record, base::SteadyTime now);
  /// The server has none (any more). Its holder may not know of that, and keeps its time.
  void observe_absence();
  bool is_mine() const { return record_ && record_->holder == options_.identity; }
  bool may_write(base::SteadyTime now) const;
  /// What to write to acquire or renew.
  LeaseRecord claim(base::WallTime now) const;
  /// What to write to let go, so that others need not wait.
  LeaseRecord release(base::WallTime now) const;
  const std::string& holder() const;

 private:
  LeaseRecord blank() const;

  const LeaseOptions& options_;
  std::optional<LeaseRecord> record_;
  bool is_absent_ = false;  // and `record_`, where there is one, was its last
  base::SteadyTime observed_at_;
};

class LeaderElection {
 public:
  struct Events {
    std::function<void()> on_started_leading;
    std::function<void()> on_stopped_leading;
  };
  struct Clocks {
    std::function<base::SteadyTime()> steady = std::chrono::steady_clock::now;
    std::function<base::WallTime()> wall = std::chrono::system_clock::now;
  };

  LeaderElection(asio::io_context& io, Client& client, LeaseOptions options, Events events,
                 Random random, Clocks clocks);
  LeaderElection(asio::io_context& io, Client& client, LeaseOptions options, Events events,
                 Random random)
      : LeaderElection(io, client, std::move(options), std::move(events), std::move(random),
                       Clocks()) {}
  LeaderElection(const LeaderElection&) = delete;
  LeaderElection& operator=(const LeaderElection&) = delete;
  /// Without stop() the lease is not released: another waits for its duration.
  ~LeaderElection() = default;

  void start();
  /// Stops leading, releases the lease if it was ours, then calls `on_done` (also when the server
  /// does not answer within the renew deadline). Final.
  void stop(std::function<void()> on_done);

  bool is_leading() const { return is_leading_; }
  /// Empty as long as unknown or free.
  const std::string& holder() const { return view_.holder(); }

 private:
  void attempt();
  void on_read(Response response);
  void try_to_write(bool is_new);
  void write(const LeaseRecord& record, bool is_new);
  void on_written(const Response& response);
  void retry_later();
  void hold_until_deadline();
  void stop_leading();
  void finish_stop();
  std::string path() const;
  std::string collection() const;

  Client& client_;
  LeaseOptions options_;
  Events events_;
  Random random_;
  Clocks clocks_;
  LeaseView view_;
  OneTimer retry_timer_;
  OneTimer deadline_timer_;
  Call call_;
  base::SteadyTime attempted_at_;
  std::function<void()> on_stop_done_;
  bool is_leading_ = false;
  bool is_stopping_ = false;
};

}  // namespace penstock::kube
