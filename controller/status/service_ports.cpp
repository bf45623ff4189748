#include "controller/status/service_ports.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/objects/json.h"
#include "controller/status/json_text.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

constexpr std::chrono::milliseconds kPortsSettle{100};
/// Until the watch must have shown what was applied.
constexpr std::chrono::milliseconds kReapply{5'000};
constexpr std::chrono::seconds kPortsRetry{5};
constexpr std::size_t kMostRefusedApplies = 32;  // in one search for the ports that are refused
constexpr std::size_t kLongestReason = 300;

/// What the API server says of a call that it does not serve.
std::string message_of(const kube::Response& response) {
  if (response.status == 0) return response.failure;
  const auto read = objects::read_json<std::string>(
      response.body, [](const objects::Json& status) { return status.text("message"); });
  const auto text = read && !read->empty() ? *read : fmt::format("status {}", response.status);
  return shortened(base::escape_controls(text), kLongestReason);
}

/// Whether the answer is about what was asked, and not about the API server's moment.
bool is_refusal(int status) {
  constexpr int kOfTheMoment[] = {401, 404, 429, 502, 503, 504};
  return status >= 400 && std::ranges::find(kOfTheMoment, status) == std::end(kOfTheMoment);
}

}  // namespace

std::set<PortKey> ServicePorts::Batch::keys() const {
  std::set<PortKey> out;
  for (const auto& each : entries) out.insert(each.key);
  return out;
}

ServicePorts::ServicePorts(asio::io_context& io, kube::Client& client, std::string service,
                           std::function<View()> view, std::function<void()> on_change)
    : client_(client),
      service_(std::move(service)),
      view_(std::move(view)),
      on_change_(std::move(on_change)),
      timer_(io),
      retry_(io) {}

void ServicePorts::set_leading(bool is_leading) {
  is_leading_ = is_leading;
  if (is_leading) return update();
  timer_.cancel();
  retry_.cancel();
  call_.cancel();
  is_due_ = is_writing_ = false;
  applied_.reset();
  held_back_.clear();
  refusals_.clear();
}

void ServicePorts::update() { update_after(kPortsSettle); }

void ServicePorts::update_after(std::chrono::milliseconds delay) {
  if (!is_leading_ || is_due_) return;
  is_due_ = delay == kPortsSettle;  // a longer wait gives way
  timer_.after(delay, [this] {
    is_due_ = false;
    compare();
  });
}

void ServicePorts::compare() {
  if (is_writing_) return;  // its answer compares again
  const auto view = view_();
  if (!view.is_translated) return;  // an update follows
  const auto* service = view.world->find<objects::Service>(service_);
  const auto uid = service == nullptr ? std::string() : service->meta.uid;
  if (uid != uid_) {
    uid_ = uid;
    applied_.reset();
    held_back_.clear();
    refusals_.clear();
  }
  if (service == nullptr) return;
  const ServiceEntries there(*view.world, *service);
  const auto plan =
      plan_ports(held_ports(view.translator->parts(), view.translator->options()), there);
  keep_refusals(plan);
  auto batch = next_batch(plan, there);
  if (!is_settled(batch, plan, there)) send(*service, std::move(batch));
}

/// Those that are planned, and what the API server has said of others that are still wanted.
void ServicePorts::keep_refusals(const PortPlan& plan) {
  auto kept = plan.refusals;
  for (const auto& entry : plan.entries) {
    const auto found = refusals_.find(entry.key);
    const bool is_applied = applied_ && applied_->contains(entry.key);
    if (found != refusals_.end() && found->second.reason == "ServicePortRefused" && !is_applied) {
      kept.insert(*found);
    }
  }
  if (kept == refusals_) return;
  refusals_ = std::move(kept);
  on_change_();
}

ServicePorts::Batch ServicePorts::next_batch(const PortPlan& plan,
                                             const ServiceEntries& there) const {
  Batch out;
  for (const auto& entry : plan.entries) {
    const bool is_there =
        there.at(entry.key) != nullptr || (applied_ && applied_->contains(entry.key));
    if (!is_there) {
      if (held_back_.contains(entry.key) || out.fresh.size() == step_) continue;
      out.fresh.push_back(entry.key);
    }
    out.entries.push_back(entry);
  }
  return out;
}

bool ServicePorts::is_settled(const Batch& batch, const PortPlan& plan,
                              const ServiceEntries& there) {
  if (!applied_) {
    if (!batch.fresh.empty()) return false;
    // What is there may be ours; only what nobody wants must be taken out.
    auto left = there.ours();
    for (const auto& entry : plan.entries) left.erase(entry.key);
    return left.empty();
  }
  if (batch.keys() != *applied_) return false;
  const bool is_shown =
      std::ranges::all_of(*applied_, [&](const PortKey& key) { return there.at(key) != nullptr; });
  if (is_shown) return true;
  const auto waited = std::chrono::steady_clock::now() - applied_at_;
  if (waited >= kReapply) return false;
  update_after(std::chrono::ceil<std::chrono::milliseconds>(kReapply - waited) + kPortsSettle);
  return true;
}

void ServicePorts::send(const objects::Service& service, Batch batch) {
  is_writing_ = true;
  auto path = kube::object_path("v1", "services", service.meta.name_space, service.meta.name);
  auto body = apply_json(service, batch.entries);
  call_ = client_.apply(
      path.append(kApplyPorts), std::move(body),
      [this, batch = std::move(batch)](const kube::Response& response) { take(batch, response); });
}

void ServicePorts::take(const Batch& batch, const kube::Response& response) {
  const auto call = std::move(call_);  // dropped last: this runs inside of it
  is_writing_ = false;
  if (!response.is_ok()) {
    const auto message = message_of(response);
    if (std::exchange(last_failure_, message) != message) {
      base::log::warn("ports of Service {}: {}", service_, message);
    }
    if (is_refusal(response.status)) return take_refusal(batch, message);
    return retry_later();
  }
  last_failure_.clear();
  applied_ = batch.keys();
  applied_at_ = std::chrono::steady_clock::now();
  step_ = std::min(2 * step_, kMostServicePorts);
  base::log::info("Service {} has {} ports of streams", service_, batch.entries.size());
  on_change_();
  update();
}

void ServicePorts::take_refusal(const Batch& batch, const std::string& message) {
  const bool is_last = ++refused_applies_ >= kMostRefusedApplies;
  if (batch.fresh.size() > 1 && !is_last) {
    step_ = batch.fresh.size() / 2;
    return update();
  }
  if (is_last) step_ = kMostServicePorts;  // the rest goes as one
  for (const auto& key : batch.fresh) {
    held_back_.insert(key);
    refusals_[key] = {"ServicePortRefused", message};
  }
  on_change_();
  retry_later();
  // The others of them, and what is to be taken out.
  if (!batch.fresh.empty()) update();
}

void ServicePorts::retry_later() {
  retry_.after(kPortsRetry, [this] {
    refused_applies_ = 0;
    held_back_.clear();
    step_ = kMostServicePorts;
    update();
  });
}

}  // namespace penstock::status
