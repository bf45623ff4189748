// The Lease of a retirement: taken, held, and handed to the pods' owners.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/status/replicas.h"
#include "controller/status/retirement.h"

namespace penstock::status {
namespace {

/// Who holds the Lease then: another run of the command is the same one.
constexpr std::string_view kRetiredHolder = "penstock-retire";
constexpr int kMostTriesToHold = 10;
/// To let go of it, also where the time is over.
constexpr std::chrono::seconds kLongestRelease{5};
constexpr std::size_t kMostOwners =
    64;  // of one installation there are two, in the midst of an update

}  // namespace

std::string Retirement::lease_path() const {
  return kube::object_path("coordination.k8s.io/v1", "leases", options_.name_space, options_.lease);
}

base::Result<void> Retirement::read_lease() {
  lease_.reset();
  const auto response = caller_.get(lease_path());
  if (response.status == 404) return {};
  if (!response.is_ok()) {
    return base::fail(lease_name() + ": cannot be read: " + response.failure_text());
  }
  auto seen = kube::see_lease(response.body);
  if (!seen) return base::fail(lease_name() + ": " + seen.error().message);
  lease_ = std::move(*seen);
  return {};
}

base::Result<void> Retirement::find_pods() {
  if (auto read = read_lease(); !read) return read;
  if (lease_) owners_.insert(lease_->owners.begin(), lease_->owners.end());
  const auto selector = find_selector();
  if (!selector) return std::unexpected(selector.error());
  if (selector->empty()) return {};
  std::string unreadable;
  const auto visit = [&](const objects::ObjectKey& key, const kube::RawObject& object) {
    const auto placement = placement_of(object.json);
    if (!placement) {
      unreadable = objects::to_string(key) + ": " + placement.error().message;
      return;
    }
    if (!placement->node.empty()) nodes_.insert(placement->node);
    if (owners_.size() < kMostOwners) owners_.insert(placement->owner);
  };
  auto done = list(objects::Kind::kPod, options_.name_space,
                   "&labelSelector=" + kube::encode_url(*selector), visit);
  if (done && !unreadable.empty()) return base::fail(unreadable);
  return done;
}

/// Empty where no pod is known to be one of ours.
base::Result<std::string> Retirement::find_selector() {
  if (!options_.pod_selector.empty()) return options_.pod_selector;
  auto pod = options_.pod;
  if (pod.empty() && lease_ && lease_->holder != kRetiredHolder) pod = lease_->holder;
  if (pod.empty()) return "";
  const auto response = caller_.get(kube::object_path("v1", "pods", options_.name_space, pod));
  if (response.status == 404) return "";  // its holder may be no pod
  const auto name = fmt::format("Pod {}/{}: ", options_.name_space, pod);
  if (!response.is_ok()) return base::fail(name + response.failure_text());
  const auto labels = pod_labels(response.body);
  if (!labels) return base::fail(name + labels.error().message);
  return replica_selector(*labels);
}

base::Result<void> Retirement::hold_lease() {
  const auto holder = lease_ ? lease_->holder : std::string();
  if (owners_.empty() && !lease_) {
    say_(lease_name() + ": there is none, and there are no pods that could hold it");
    return {};
  }
  auto duration = options_.lease_duration;
  if (lease_ && holder != kRetiredHolder) {
    duration = std::max<std::chrono::milliseconds>(duration, lease_->duration);
  }
  const auto wait = longest_writing(duration);
  if (wait > caller_.end() - std::chrono::steady_clock::now()) {
    return base::fail(
        fmt::format("{}: {} may write for another {} s, which is more than --timeout "
                    "leaves; nothing has been done",
                    lease_name(), holder.empty() ? "a replica" : holder, wait.count() / 1000));
  }
  kube::LeaseHold hold;
  hold.name_space = options_.name_space;
  hold.name = options_.lease;
  hold.identity = kRetiredHolder;
  hold.owners.assign(owners_.begin(), owners_.end());
  for (int i = 0; i < kMostTriesToHold && !is_held_; ++i) {
    const auto tried = try_to_hold(hold);
    if (!tried) return std::unexpected(tried.error());
    is_held_ = *tried;
  }
  if (!is_held_) return base::fail(lease_name() + ": somebody writes it again and again");
  std::vector<std::string> names;
  for (const auto& each : owners_) names.push_back(each.kind + " " + each.name);
  say_(fmt::format("{}: held for {} s{}{}; waiting {} s until no replica writes", lease_name(),
                   hold.duration.count(), names.empty() ? "" : ", or until it goes with ",
                   fmt::join(names, " and "), wait.count() / 1000.0));
  if (!caller_.wait(wait)) return base::fail(lease_name() + ": the time is over");
  return {};
}

/// False where another was faster.
base::Result<bool> Retirement::try_to_hold(const kube::LeaseHold& hold) {
  kube::Request request;
  request.method = lease_ ? "PATCH" : "POST";
  request.path =
      lease_ ? lease_path()
             : kube::collection_path("coordination.k8s.io/v1", "leases", options_.name_space);
  request.content_type = lease_ ? "application/merge-patch+json" : "application/json";
  request.body =
      kube::hold_json(hold, lease_ ? lease_->version : "", std::chrono::system_clock::now());
  const auto response = caller_.ask(std::move(request));
  if (response.is_ok()) {
    if (auto seen = kube::see_lease(response.body)) lease_ = std::move(*seen);
    return true;
  }
  if (response.status != 404 && response.status != 409) {
    return base::fail(lease_name() + ": cannot be taken: " + response.failure_text());
  }
  if (const auto read = read_lease(); !read) return std::unexpected(read.error());
  return false;
}

/// Without pods there is nothing that would take it along, and nobody whom it must hold off.
base::Result<void> Retirement::delete_lease_without_owner() {
  if (!owners_.empty()) return {};
  kube::Request request;
  request.method = "DELETE";
  request.path = lease_path();
  const auto response = caller_.ask(std::move(request));
  if (!response.is_ok() && response.status != 404) {
    return base::fail(lease_name() + ": cannot be deleted: " + response.failure_text());
  }
  say_(lease_name() + (response.is_ok() ? ": deleted" : ": there is none"));
  return {};
}

void Retirement::release_lease() {
  caller_.set_end(std::max(caller_.end(), std::chrono::steady_clock::now() + kLongestRelease));
  kube::LeaseHold free;
  free.name_space = options_.name_space;
  free.name = options_.lease;
  free.duration = std::chrono::seconds(1);
  kube::Request request;
  request.method = "PATCH";
  request.path = lease_path();
  request.content_type = "application/merge-patch+json";
  request.body =
      kube::hold_json(free, lease_ ? lease_->version : "", std::chrono::system_clock::now());
  const auto response = caller_.ask(std::move(request));
  say_(lease_name() + (response.is_ok() ? ": let go, so that the replicas write again"
                                        : ": still held: " + response.failure_text()));
}

}  // namespace penstock::status
