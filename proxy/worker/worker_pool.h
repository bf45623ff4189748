#pragma once
// All workers of the proxy, as one to its control thread: a table is adopted when every one of them
// serves from it. Ports that could not be opened are reported and tried again, others are
// untouched.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/worker/worker.h"

namespace penstock::worker {

class WorkerPool {
 public:
  /// Every worker serves version `version`; `problems` are the ports that are not open, one
  /// sentence each. Called on the control thread, again whenever the problems have changed.
  using OnServing = std::function<void(std::uint64_t version, std::vector<std::string> problems)>;
  /// Makes a worker; where telemetry and tests put theirs in.
  using MakeWorker = std::function<std::unique_ptr<Worker>(std::size_t index)>;

  /// `control` is the loop of the thread that calls everything here.
  WorkerPool(asio::io_context& control, std::size_t count, const MakeWorker& make,
             OnServing on_serving);
  ~WorkerPool();

  void start();
  /// Answered by OnServing. Tables are adopted in the order of these calls.
  void adopt(std::shared_ptr<const routing::RoutingTable> table,
             const routing::TableChange& change);
  /// What all workers tell of themselves, once all have; never where one has ended. `done` runs on
  /// the control thread.
  void report(const ReportRequest& request, std::function<void(Report)> done);
  /// See Worker.
  void set_log_rules(const std::vector<session::LogRule>& rules);
  void set_taps(const std::vector<telemetry::Tap>& taps);
  void set_drained(const std::map<std::string, std::set<std::string>>& endpoints);
  /// The ports that are not open by listener: one sentence each.
  const std::map<std::string, std::string>& problems() const { return problems_; }
  /// No port of HTTP or HTTPS that is wanted is missing.
  bool has_http_ports() const;
  /// Why this listener is not open; null where it is.
  const std::string* problem_of(const std::string& listener) const {
    const auto found = problems_.find(listener);
    return found == problems_.end() ? nullptr : &found->second;
  }
  /// Returns at once; a second call ends what is left.
  void drain(base::Duration limit);
  /// Returns when all threads have ended.
  void join();
  std::size_t size() const { return workers_.size(); }

 private:
  struct Round;
  void send(routing::TableChange change, bool is_retry);
  void finish(const std::shared_ptr<Round>& round);
  void schedule_retry();

  asio::io_context& control_;
  std::vector<std::unique_ptr<Worker>> workers_;
  OnServing on_serving_;
  std::shared_ptr<const routing::RoutingTable> table_;
  std::map<std::string, std::string> problems_;  // by listener: what went wrong
  asio::steady_timer retry_timer_;
  base::Duration retry_after_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace penstock::worker
