#pragma once
// Which ports of its node our own pod has, for the conditions of streams where no Service is
// published. The pod is read once: what is asked of it never changes. Runs on the controller's
// thread.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/status/port_plan.h"
#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::status {

struct PodPorts {
  std::string pod;  // "ingress/penstock-7d9c"
  bool has_host_network = false;
  std::map<PortKey, std::uint16_t> host_ports;  // the node's, by ours
};

base::Result<PodPorts> pod_ports(std::string_view pod_json);

class OwnPod {
 public:
  OwnPod(asio::io_context& io, kube::Client& client, std::string name_space, std::string name,
         std::function<void()> on_change);

  void start();
  void stop();
  /// Nothing before it has been read.
  const std::optional<PodPorts>& ports() const { return ports_; }

 private:
  void take(const kube::Response& response);

  kube::Client& client_;
  std::string name_space_;
  std::string name_;
  std::function<void()> on_change_;
  std::optional<PodPorts> ports_;
  kube::Call call_;
  kube::OneTimer timer_;
  bool has_warned_ = false;
};

}  // namespace penstock::status
