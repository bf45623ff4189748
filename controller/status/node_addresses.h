#pragma once
// The addresses of the nodes that run us, for the statuses of Ingresses where neither a Service nor
// a flag names any. Our pods are watched, by the labels that ours has; a node is read when one of
// them becomes ready on it and again from time to time. Runs on the controller's thread.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/kube/watch.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace penstock::status {

/// The node of a pod that runs, is ready and is not ending; else empty.
base::Result<std::string> serving_node(std::string_view pod_json);
/// Where a node is reached: its first external IP, or its first internal one where it has none or
/// `is_internal`; empty where it has neither.
base::Result<std::string> node_address(std::string_view node_json, bool is_internal);

class NodeAddresses {
 public:
  struct Options {
    std::string name_space;  // ours
    std::string pod;         // our own
    bool is_internal = false;
    std::chrono::milliseconds reread{60'000};  // nodes change on their own
  };

  NodeAddresses(asio::io_context& io, kube::Client& client, Options options, kube::Random random,
                std::function<void()> on_change);

  void start();
  void stop();
  /// Sorted; nothing as long as none is known, and what was known last while no pod is ready: a
  /// moment's failure takes no address out of the world's DNS.
  const std::optional<std::vector<std::string>>& addresses() const { return addresses_; }

 private:
  struct Node {
    std::string address;
    base::SteadyTime read_at;
    bool is_known = false;
  };

  void find_labels();
  void take_own_pod(const kube::Response& response);
  void watch(std::string selector);
  void take_pod(const objects::Change& change);
  void follow_pods();
  void read_next();
  void take_node(const std::string& name, const kube::Response& response);
  void read_later();
  void publish();

  asio::io_context& io_;
  kube::Client& client_;
  Options options_;
  kube::Random random_;
  std::function<void()> on_change_;
  std::unique_ptr<kube::Watcher> watcher_;
  std::map<std::string, std::string> pods_;  // node by pod
  std::map<std::string, Node> nodes_;
  std::set<std::string> due_;  // nodes to be read
  kube::Call call_;
  std::string reading_;
  kube::OneTimer timer_;
  std::optional<std::vector<std::string>> addresses_;
};

}  // namespace penstock::status
