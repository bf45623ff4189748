#pragma once
// The zone of the node that runs us (topology.kubernetes.io/zone), for hints of EndpointSlices. A
// pod stays on its node and a node in its zone, so both are read once, when the controller starts.
// Runs on the controller's thread.
#include <functional>
#include <string>
#include <string_view>

#include "controller/kube/backoff.h"
#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::program {

/// The node of a pod; a sentence where the pod has none.
base::Result<std::string> node_of(std::string_view pod_json);
/// The label of a node; a sentence where it has none.
base::Result<std::string> zone_of(std::string_view node_json);

class NodeZone {
 public:
  /// Told once. An empty zone: it cannot be known, and a warning has said why.
  using OnKnown = std::function<void(std::string zone)>;

  NodeZone(asio::io_context& io, kube::Client& client, std::string name_space, std::string pod,
           kube::Random random,
           std::chrono::milliseconds first_retry = std::chrono::milliseconds(500));

  /// Asks until the API server answers; one that refuses again and again has answered, too.
  void start(OnKnown on_known);

 private:
  using Take = void (NodeZone::*)(const std::string& body);

  void ask(std::string path, Take take);
  void take_pod(const std::string& body);
  void take_node(const std::string& body);
  void finish(base::Result<std::string> zone);

  kube::Client& client_;
  std::string name_space_;
  std::string pod_;
  OnKnown on_known_;
  kube::Backoff backoff_;
  kube::Call call_;
  kube::OneTimer timer_;
};

}  // namespace penstock::program
