#include "controller/program/node_zone.h"

#include <fmt/format.h>

#include "controller/kube/paths.h"
#include "controller/objects/json.h"
#include "proxy/base/log.h"

namespace penstock::program {
namespace {

constexpr std::chrono::seconds kLongestZoneRetry{30};
constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";

/// A server that starts may refuse for a moment what it will grant.
constexpr int kMostZoneRefusals = 6;

/// One that another try may change.
bool is_passing(const kube::Response& response, int tries) {
  const bool is_refusal = response.status == 401 || response.status == 403;
  if (is_refusal) return tries + 1 < kMostZoneRefusals;
  return response.status == 0 || response.status == 429 || response.status >= 500;
}

}  // namespace

base::Result<std::string> node_of(std::string_view pod_json) {
  auto node = objects::read_json<std::string>(pod_json, [](const objects::Json& pod) {
    return pod.get("spec").text("nodeName");
  });
  if (node && node->empty()) return base::fail("the pod has no node");
  return node;
}

base::Result<std::string> zone_of(std::string_view node_json) {
  auto zone = objects::read_json<std::string>(node_json, [](const objects::Json& node) {
    return node.get("metadata").get("labels").text(kZoneLabel);
  });
  if (zone && zone->empty()) return base::fail(fmt::format("no label {}", kZoneLabel));
  return zone;
}

NodeZone::NodeZone(asio::io_context& io, kube::Client& client, std::string name_space,
                   std::string pod, kube::Random random, std::chrono::milliseconds first_retry)
    : client_(client),
      name_space_(std::move(name_space)),
      pod_(std::move(pod)),
      backoff_(first_retry, kLongestZoneRetry, std::move(random)),
      timer_(io) {}

void NodeZone::start(OnKnown on_known) {
  on_known_ = std::move(on_known);
  ask(kube::object_path("v1", "pods", name_space_, pod_), &NodeZone::take_pod);
}

void NodeZone::ask(std::string path, Take take) {
  call_ = client_.get(path, [this, path, take](const kube::Response& response) {
    const auto call = std::move(call_);  // dropped last: this runs inside of it
    if (response.is_ok()) return (this->*take)(response.body);
    if (!is_passing(response, backoff_.failures())) {
      return finish(base::fail(path + ": " + response.failure_text()));
    }
    if (backoff_.failures() == 0) {
      base::log::warn("the zone of this node is not known yet: {}: {}", path,
                      response.failure_text());
    }
    timer_.after(backoff_.next(response.retry_after), [this, path, take] { ask(path, take); });
  });
}

void NodeZone::take_pod(const std::string& body) {
  const auto node = node_of(body);
  if (!node) return finish(node);
  ask(kube::object_path("v1", "nodes", "", *node), &NodeZone::take_node);
}

void NodeZone::take_node(const std::string& body) { finish(zone_of(body)); }

void NodeZone::finish(base::Result<std::string> zone) {
  if (zone) {
    base::log::info("zone {}: endpoints with hints for it are preferred", *zone);
  } else {
    base::log::warn("the zone of this node is not known, every ready endpoint is used: {}",
                    zone.error().message);
  }
  std::exchange(on_known_, nullptr)(zone ? std::move(*zone) : "");
}

}  // namespace penstock::program
