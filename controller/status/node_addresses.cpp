#include "controller/status/node_addresses.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/objects/json.h"
#include "controller/status/replicas.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

constexpr std::chrono::seconds kNodesRetry{5};
/// Of many nodes, each is read more rarely than the options say.
constexpr std::chrono::seconds kBetweenReads{1};

}  // namespace

base::Result<std::string> serving_node(std::string_view pod_json) {
  return objects::read_json<std::string>(pod_json, [](const objects::Json& pod) {
    const auto meta = pod.get("metadata");
    const auto status = pod.get("status");
    bool is_ready = false;
    status.for_each("conditions", [&](const objects::Json& condition) {
      if (condition.text("type") == "Ready") is_ready = condition.text("status") == "True";
    });
    const bool is_running = status.text("phase") == "Running";
    const bool serves = is_ready && is_running && meta.get("deletionTimestamp").is_absent();
    return serves ? pod.get("spec").text("nodeName") : std::string();
  });
}

base::Result<std::string> node_address(std::string_view node_json, bool is_internal) {
  return objects::read_json<std::string>(node_json, [&](const objects::Json& node) {
    std::string internal;
    std::string external;
    node.get("status").for_each("addresses", [&](const objects::Json& each) {
      const auto type = each.text("type");
      auto& place = type == "InternalIP" ? internal : external;
      const bool is_ip = type == "InternalIP" || type == "ExternalIP";
      if (is_ip && place.empty()) place = each.text("address");
    });
    return is_internal || external.empty() ? internal : external;
  });
}

NodeAddresses::NodeAddresses(asio::io_context& io, kube::Client& client, Options options,
                             kube::Random random, std::function<void()> on_change)
    : io_(io),
      client_(client),
      options_(std::move(options)),
      random_(std::move(random)),
      on_change_(std::move(on_change)),
      timer_(io) {}

void NodeAddresses::start() {
  stop();
  find_labels();
}

void NodeAddresses::stop() {
  timer_.cancel();
  call_.cancel();
  watcher_.reset();
  reading_.clear();
  pods_.clear();
  nodes_.clear();
  due_.clear();
  addresses_.reset();
}

void NodeAddresses::find_labels() {
  call_ = client_.get(kube::object_path("v1", "pods", options_.name_space, options_.pod),
                      [this](const kube::Response& response) { take_own_pod(response); });
}

void NodeAddresses::take_own_pod(const kube::Response& response) {
  std::string failure = response.is_ok() ? "" : response.failure_text();
  if (failure.empty()) {
    const auto labels = pod_labels(response.body);
    auto selector = labels ? replica_selector(*labels) : std::string();
    if (!selector.empty()) return watch(std::move(selector));
    failure = labels ? "it has no labels" : labels.error().message;
  }
  base::log::warn("pod {}/{}: the nodes of its replicas cannot be found: {}", options_.name_space,
                  options_.pod, failure);
  timer_.after(kNodesRetry, [this] { find_labels(); });
}

void NodeAddresses::watch(std::string selector) {
  kube::WatchTarget target;
  target.kind = objects::Kind::kPod;
  target.name_space = options_.name_space;
  target.label_selector = std::move(selector);
  objects::SourceEvents events;
  events.on_change = [this](const objects::Change& change) { take_pod(change); };
  events.on_synced = [this](objects::Kind) { follow_pods(); };
  watcher_ =
      std::make_unique<kube::Watcher>(io_, client_, std::move(target), std::move(events), random_);
  watcher_->start();
}

void NodeAddresses::take_pod(const objects::Change& change) {
  const auto node = change.is_removed ? base::Result<std::string>() : serving_node(change.json);
  if (!node) {
    return base::log::warn("{}: {}", objects::to_string(change.key), node.error().message);
  }
  if (node->empty()) {
    pods_.erase(change.key.name);
  } else {
    pods_[change.key.name] = *node;
  }
  if (watcher_->is_synced()) follow_pods();
}

void NodeAddresses::follow_pods() {
  std::set<std::string> wanted;
  for (const auto& [pod, node] : pods_) wanted.insert(node);
  std::erase_if(nodes_, [&](const auto& each) { return !wanted.contains(each.first); });
  std::erase_if(due_, [&](const auto& each) { return !wanted.contains(each); });
  for (const auto& name : wanted) {
    if (nodes_.try_emplace(name).second) due_.insert(name);
  }
  read_next();
  publish();
}

void NodeAddresses::read_next() {
  if (!reading_.empty()) return;
  if (due_.empty()) return read_later();
  timer_.cancel();
  reading_ = due_.extract(due_.begin()).value();
  call_ = client_.get(
      kube::object_path("v1", "nodes", "", reading_),
      [this, name = reading_](const kube::Response& response) { take_node(name, response); });
}

void NodeAddresses::take_node(const std::string& name, const kube::Response& response) {
  const auto call = std::move(call_);  // dropped last: this runs inside of it
  reading_.clear();
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return read_next();
  auto& node = found->second;
  node.read_at = std::chrono::steady_clock::now();
  node.is_known = true;
  base::Result<std::string> address;  // of one that is gone: none
  if (response.is_ok()) address = node_address(response.body, options_.is_internal);
  if (!response.is_ok() && response.status != 404) address = base::fail(response.failure_text());
  if (address) {
    node.address = *address;
  } else {
    base::log::warn("Node {}: {}", name, address.error().message);
  }
  read_next();
  publish();
}

/// Again those that were read longest ago.
void NodeAddresses::read_later() {
  const auto oldest =
      std::ranges::min_element(nodes_, {}, [](const auto& each) { return each.second.read_at; });
  if (oldest == nodes_.end()) return;
  const auto age = std::chrono::steady_clock::now() - oldest->second.read_at;
  const auto delay = std::max<base::SteadyTime::duration>(options_.reread - age, kBetweenReads);
  timer_.after(delay, [this, name = oldest->first] {
    due_.insert(name);
    read_next();
  });
}

void NodeAddresses::publish() {
  std::vector<std::string> out;
  for (const auto& [name, node] : nodes_) {
    if (!node.is_known) return;
    if (!node.address.empty()) out.push_back(node.address);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  if (out.empty() || addresses_ == out) return;
  addresses_ = std::move(out);
  on_change_();
}

}  // namespace penstock::status
