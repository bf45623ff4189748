#pragma once
// What an operator has asked of the proxy for a while: endpoints that take nothing new, and
// detailed log lines for one host, client or port. Both outlive every table and end with the
// process. Control thread.
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/http_server.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/worker/worker_pool.h"

namespace penstock::control {

class AdminActions {
 public:
  using Clock = std::chrono::steady_clock;
  struct Sources {
    std::function<const snapshot::Snapshot&()> snapshot;
    std::function<worker::WorkerPool*()> pool;  // null while nothing is served
  };

  AdminActions(asio::io_context& io, Sources sources);

  /// Parameters: endpoint, and upstream where only that one is meant; force=true where it is the
  /// last one of an upstream.
  base::HttpReply drain(const base::HttpRequest& request);
  base::HttpReply undrain(const base::HttpRequest& request);
  /// Parameters: one of host, client and port; level (debug, warn, error or off); seconds.
  base::HttpReply set_log_level(const base::HttpRequest& request);
  /// To workers that have just begun.
  void push();
  /// {"drained": [...], "log_rules": [...]}
  std::string json() const;

 private:
  struct Rule {
    std::string match;  // "host a.example"
    std::string level;
    session::LogRule rule;
  };

  std::vector<std::string> upstreams_with(const std::string& endpoint, std::string_view only) const;
  bool has(const std::string& upstream, const std::string& endpoint) const;
  bool is_last(const std::string& upstream, const std::string& endpoint) const;
  void push_drained();
  void push_rules();
  void check_soon();
  void check();

  Sources sources_;
  asio::steady_timer timer_;
  std::map<std::string, std::set<std::string>> drained_;   // endpoints by upstream
  std::set<std::pair<std::string, std::string>> missing_;  // at the last check
  std::vector<Rule> rules_;
};

}  // namespace penstock::control
