#pragma once
// The other pods of our Deployment or DaemonSet: those with the labels that ours has.
// Runs on the controller's thread.
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "controller/kube/client.h"
#include "controller/kube/lease_hold.h"
#include "proxy/base/result.h"

namespace penstock::status {

/// The labels of a pod without those that tell its generations apart, as the API's selector; empty
/// where nothing is left.
std::string replica_selector(const std::map<std::string, std::string>& labels);
/// The labels of one pod's JSON.
base::Result<std::map<std::string, std::string>> pod_labels(const std::string& json);
/// How many pods of a list's JSON, besides the one of this name, run or are about to.
base::Result<std::size_t> count_others(const std::string& json, const std::string& name);

/// Where one of our pods runs, and what it goes with.
struct Placement {
  std::string node;   // empty: none yet
  kube::Owner owner;  // who makes the pod anew; the pod itself where nobody does
};
base::Result<Placement> placement_of(std::string_view pod_json);

class Replicas {
 public:
  Replicas(kube::Client& client, std::string name_space, std::string pod)
      : client_(client), name_space_(std::move(name_space)), pod_(std::move(pod)) {}

  /// Nothing where that cannot be known; the log says why. One question at a time.
  using Answer = std::function<void(std::optional<std::size_t> others)>;
  void count(Answer on_answer);

 private:
  void take_pod(const kube::Response& response);
  void take_list(const kube::Response& response);
  void answer(std::optional<std::size_t> others);
  void fail(const std::string& why);

  kube::Client& client_;
  std::string name_space_;
  std::string pod_;
  Answer on_answer_;
  kube::Call call_;
};

}  // namespace penstock::status
