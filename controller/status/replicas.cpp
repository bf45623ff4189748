#include "controller/status/replicas.h"

#include <fmt/format.h>

#include "controller/kube/paths.h"
#include "controller/objects/json.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

constexpr std::string_view kOfOneGeneration[] = {
    "pod-template-hash", "controller-revision-hash", "pod-template-generation",
    "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"};

}  // namespace

std::string replica_selector(const std::map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (std::ranges::find(kOfOneGeneration, name) != std::end(kOfOneGeneration)) continue;
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, value);
  }
  return out;
}

base::Result<std::map<std::string, std::string>> pod_labels(const std::string& json) {
  using Labels = std::map<std::string, std::string>;
  return objects::read_json<Labels>(json, [](const objects::Json& pod) {
    Labels labels;
    pod.get("metadata")
        .for_each_member("labels", [&](std::string_view name, const objects::Json& value) {
          labels.emplace(name, value.own_text());
        });
    return labels;
  });
}

base::Result<std::size_t> count_others(const std::string& json, const std::string& name) {
  return objects::read_json<std::size_t>(json, [&](const objects::Json& list) {
    std::size_t others = 0;
    list.for_each("items", [&](const objects::Json& pod) {
      const auto meta = pod.get("metadata");
      const auto phase = pod.get("status").text("phase");
      const bool is_ending =
          !meta.get("deletionTimestamp").is_absent() || phase == "Succeeded" || phase == "Failed";
      if (!is_ending && meta.text("name") != name) ++others;
    });
    return others;
  });
}

base::Result<Placement> placement_of(std::string_view pod_json) {
  return objects::read_json<Placement>(pod_json, [](const objects::Json& pod) {
    const auto meta = pod.get("metadata");
    Placement out;
    out.node = pod.get("spec").text("nodeName");
    out.owner = {"v1", "Pod", meta.text("name"), meta.text("uid")};
    meta.for_each("ownerReferences", [&](const objects::Json& each) {
      if (each.boolean("controller", false)) out.owner = kube::read_owner(each);
    });
    return out;
  });
}

void Replicas::count(Answer on_answer) {
  on_answer_ = std::move(on_answer);
  call_ = client_.get(kube::object_path("v1", "pods", name_space_, pod_),
                      [this](const kube::Response& response) { take_pod(response); });
}

void Replicas::take_pod(const kube::Response& response) {
  if (!response.is_ok()) return fail(response.failure_text());
  const auto labels = pod_labels(response.body);
  if (!labels) return fail(labels.error().message);
  const auto selector = replica_selector(*labels);
  if (selector.empty()) return fail("it has no labels");
  call_ = client_.get(kube::collection_path("v1", "pods", name_space_) +
                          "?labelSelector=" + kube::encode_url(selector),
                      [this](const kube::Response& list) { take_list(list); });
}

void Replicas::take_list(const kube::Response& response) {
  if (!response.is_ok()) return fail(response.failure_text());
  const auto others = count_others(response.body, pod_);
  if (!others) return fail(others.error().message);
  answer(*others);
}

void Replicas::fail(const std::string& why) {
  base::log::warn("pod {}/{}: its replicas cannot be counted: {}", name_space_, pod_, why);
  answer(std::nullopt);
}

void Replicas::answer(std::optional<std::size_t> others) {
  if (const auto done = std::exchange(on_answer_, nullptr)) done(others);
}

}  // namespace penstock::status
