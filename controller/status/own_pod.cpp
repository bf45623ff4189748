#include "controller/status/own_pod.h"

#include <fmt/format.h>

#include "controller/kube/paths.h"
#include "controller/objects/json.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

constexpr std::chrono::seconds kPodRetry{30};
constexpr std::int64_t kMaxPort = 65'535;

void add_host_ports(const objects::Json& container, PodPorts& out) {
  container.for_each("ports", [&](const objects::Json& port) {
    const auto on_node = port.integer("hostPort", 0, kMaxPort, 0);
    const auto ours = port.integer("containerPort", 1, kMaxPort, 0);
    const auto protocol = port.text("protocol");
    if (on_node == 0 || ours == 0 || protocol == "SCTP") return;
    out.host_ports[{protocol == "UDP" ? objects::Protocol::kUdp : objects::Protocol::kTcp,
                    static_cast<std::uint16_t>(ours)}] = static_cast<std::uint16_t>(on_node);
  });
}

}  // namespace

base::Result<PodPorts> pod_ports(std::string_view pod_json) {
  return objects::read_json<PodPorts>(pod_json, [](const objects::Json& pod) {
    PodPorts out;
    const auto meta = pod.get("metadata");
    out.pod = meta.text("namespace") + "/" + meta.text("name");
    const auto spec = pod.get("spec");
    out.has_host_network = spec.boolean("hostNetwork", false);
    spec.for_each("containers",
                  [&](const objects::Json& container) { add_host_ports(container, out); });
    return out;
  });
}

OwnPod::OwnPod(asio::io_context& io, kube::Client& client, std::string name_space, std::string name,
               std::function<void()> on_change)
    : client_(client),
      name_space_(std::move(name_space)),
      name_(std::move(name)),
      on_change_(std::move(on_change)),
      timer_(io) {}

void OwnPod::start() {
  if (ports_) return;
  call_ = client_.get(kube::object_path("v1", "pods", name_space_, name_),
                      [this](const kube::Response& response) { take(response); });
}

void OwnPod::stop() {
  timer_.cancel();
  call_.cancel();
}

void OwnPod::take(const kube::Response& response) {
  const auto call = std::move(call_);  // dropped last: this runs inside of it
  std::string failure;
  if (response.is_ok()) {
    auto read = pod_ports(response.body);
    if (read) {
      ports_ = std::move(*read);
      return on_change_();
    }
    failure = read.error().message;
  } else {
    failure = response.failure_text();
  }
  if (!std::exchange(has_warned_, true)) {
    base::log::warn("pod {}/{}: its host ports are not known: {}", name_space_, name_, failure);
  }
  timer_.after(kPodRetry, [this] { start(); });
}

}  // namespace penstock::status
