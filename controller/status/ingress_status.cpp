#include "controller/status/ingress_status.h"

#include <fmt/format.h>

#include "controller/kube/paths.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::status {
namespace {

constexpr std::chrono::milliseconds kSettle{100};
/// Until the watch must have shown what was written.
constexpr std::chrono::seconds kRewrite{5};
constexpr std::size_t kWritesAtOnce = 8;
constexpr std::size_t kMostRemembered = 100'000;

}  // namespace

Addresses parse_addresses(const std::string& text) {
  Addresses out;
  for (const auto item : base::split_list(text)) out.emplace_back(item);
  return out;
}

Addresses addresses_of(const objects::Service& service) {
  if (service.type == objects::ServiceType::kExternalName) return {service.external_name};
  auto out = service.load_balancer;
  out.insert(out.end(), service.external_ips.begin(), service.external_ips.end());
  const bool is_pending = service.type == objects::ServiceType::kLoadBalancer;
  if (out.empty() && !is_pending && !service.cluster_ip.empty() && service.cluster_ip != "None") {
    out.push_back(service.cluster_ip);
  }
  return out;
}

std::string status_patch(const Addresses& addresses) {
  std::string list;
  for (const auto& each : addresses) {
    list += fmt::format(R"({}{{"{}":"{}"}})", list.empty() ? "" : ",",
                        base::parse_address(each) ? "ip" : "hostname", base::escape_json(each));
  }
  return fmt::format(R"({{"status":{{"loadBalancer":{{"ingress":[{}]}}}}}})", list);
}

IngressStatus::IngressStatus(asio::io_context& io, kube::Client& client, Options options,
                             std::function<View()> view)
    : client_(client), options_(std::move(options)), view_(std::move(view)), timer_(io) {}

void IngressStatus::set_leading(bool is_leading) {
  is_leading_ = is_leading;
  if (is_leading) {
    is_all_open_ = true;
    return look_soon();
  }
  timer_.cancel();
  is_due_ = false;
  open_.clear();
  due_.clear();
  writing_.clear();
}

void IngressStatus::update(const std::set<std::string>& changed) {
  if (!is_leading_) return;
  open_.insert(changed.begin(), changed.end());
  look_soon();
}

void IngressStatus::look_soon() {
  if (!is_leading_ || is_due_ || on_cleared_) return;
  is_due_ = true;
  timer_.after(kSettle, [this] {
    is_due_ = false;
    compare();
  });
}

std::optional<Addresses> IngressStatus::addresses(const world::World& world) const {
  if (options_.nodes) return options_.nodes();
  if (options_.publish_service.empty()) return options_.addresses;
  const auto* service = world.find<objects::Service>(options_.publish_service);
  if (service == nullptr) return std::nullopt;
  return addresses_of(*service);
}

/// False where what has the addresses is not there: the last ones stay.
bool IngressStatus::find_wanted(const View& view) {
  const auto known = addresses(*view.world);
  if (known) wanted_ = *known;
  return known.has_value();
}

void IngressStatus::clear(std::function<void()> on_done) {
  find_wanted(view_());  // an uninstallation may have deleted the Service first
  if (!is_leading_ || wanted_.size() != 1) return on_done();
  on_cleared_ = std::move(on_done);
  timer_.cancel();
  due_.clear();
  // What is being written comes first, or it could arrive after what clears it.
  if (writing_.empty()) begin_clearing();
}

void IngressStatus::begin_clearing() {
  is_clearing_ = true;
  wanted_.clear();
  const auto view = view_();
  for (const auto& path : *view.served) {
    const auto* ingress = view.world->find<objects::Ingress>(path);
    if (ingress == nullptr) continue;
    const bool has_address =
        !ingress->load_balancer.empty() || written_.contains(ingress->meta.uid);
    if (has_address) due_[path] = ingress->meta.uid;
  }
  base::log::info("this was the last replica: clearing the status of {} Ingresses", due_.size());
  write_next();
  end_clearing_if_done();
}

void IngressStatus::end_clearing_if_done() {
  if (!due_.empty() || !writing_.empty()) return;
  if (const auto done = std::exchange(on_cleared_, nullptr)) done();
}

void IngressStatus::compare() {
  const auto view = view_();
  const auto before = wanted_;
  if (!find_wanted(view)) return;
  if (std::exchange(is_all_open_, false) || wanted_ != before) open_ = *view.served;
  bool is_waiting = false;
  for (auto next = open_.begin(); next != open_.end();) {
    const auto state = state_of(view, *next);
    is_waiting |= state == State::kIsWritten;
    next = state == State::kSettled ? open_.erase(next) : std::next(next);
  }
  if (is_waiting && !is_due_) {
    is_due_ = true;
    timer_.after(kRewrite, [this] {
      is_due_ = false;
      compare();
    });
  }
  write_next();
}

/// What is to be written becomes due.
IngressStatus::State IngressStatus::state_of(const View& view, const std::string& path) {
  const auto* ingress =
      view.served->contains(path) ? view.world->find<objects::Ingress>(path) : nullptr;
  if (ingress == nullptr) return State::kSettled;
  if (ingress->load_balancer == wanted_) {
    written_.erase(ingress->meta.uid);
    return State::kSettled;
  }
  const auto written = written_.find(ingress->meta.uid);
  const bool is_written = written != written_.end();
  const bool may_lag = is_written && std::chrono::steady_clock::now() - written->second < kRewrite;
  if (!may_lag && !writing_.contains(path)) due_[path] = ingress->meta.uid;
  return is_written ? State::kIsWritten : State::kDue;
}

void IngressStatus::write_next() {
  while (!due_.empty() && writing_.size() < kWritesAtOnce) {
    const auto next = due_.extract(due_.begin());
    write(next.key(), next.mapped());
  }
}

void IngressStatus::write(const std::string& path, const std::string& uid) {
  const auto slash = path.find('/');
  const objects::ObjectKey key{objects::Kind::kIngress, path.substr(0, slash),
                               path.substr(slash + 1)};
  writing_[path] = client_.merge_patch(
      kube::object_path(key) + "/status", status_patch(wanted_),
      [this, path, uid](const kube::Response& response) { take_written(path, uid, response); });
}

void IngressStatus::take_written(const std::string& path, const std::string& uid,
                                 const kube::Response& response) {
  const auto call = writing_.extract(path);  // dropped last: this runs inside of it
  if (!response.is_ok() && response.status != 404) {
    base::log::warn("status of Ingress {}: {}", path, response.failure_text());
  }
  if (written_.size() > kMostRemembered) written_.clear();
  written_[uid] = std::chrono::steady_clock::now();
  write_next();
  if (is_clearing_) return end_clearing_if_done();
  if (on_cleared_ && writing_.empty()) return begin_clearing();
  if (!response.is_ok()) look_soon();
}

}  // namespace penstock::status
