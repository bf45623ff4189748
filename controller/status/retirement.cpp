#include "controller/status/retirement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/status/ingress_report.h"
#include "controller/status/json_text.h"
#include "controller/status/node_addresses.h"
#include "controller/status/replica_report.h"
#include "controller/status/replicas.h"
#include "controller/status/service_ports.h"
#include "controller/translate/class_selection.h"

namespace penstock::status {
namespace {

using objects::Kind;

/// Looks at one kind; what more than a few find is written by somebody else again and again.
constexpr int kMostLooks = 6;

/// Refused where the object is no longer what was seen.
kube::Request status_request(const objects::ObjectKey& key, const kube::RawObject& seen,
                             std::string_view patch) {
  kube::Request out;
  out.method = "PATCH";
  out.path = kube::object_path(key) + "/status";
  out.content_type = "application/merge-patch+json";
  out.body = fmt::format(R"({{"metadata":{{"resourceVersion":{}}},{})",
                         json_string(seen.resource_version), patch.substr(1));
  return out;
}

kube::Request deletion(const objects::ObjectKey& key) {
  kube::Request out;
  out.method = "DELETE";
  out.path = kube::object_path(key);
  return out;
}

bool is_written(const objects::StreamStatus& status) {
  return status.generation != 0 || !status.conditions.empty() || !status.addresses.empty();
}

}  // namespace

Addresses without(const Addresses& stands, const Addresses& ours) {
  Addresses out;
  std::ranges::copy_if(stands, std::back_inserter(out), [&](const std::string& each) {
    return std::ranges::find(ours, each) == ours.end();
  });
  return out;
}

base::Result<void> Retirement::run() {
  for (const auto step :
       {&Retirement::find_pods, &Retirement::hold_lease, &Retirement::read_what_selects,
        &Retirement::take_back, &Retirement::delete_lease_without_owner}) {
    if (auto done = (this->*step)(); !done) {
      if (is_held_) release_lease();
      return done;
    }
  }
  return {};
}

/// Of each kind as much as can be.
base::Result<void> Retirement::take_back() {
  std::string failures;
  for (const auto step : {&Retirement::clear_ingresses,
                          &Retirement::clear_streams<objects::TcpService, Kind::kTcpService>,
                          &Retirement::clear_streams<objects::UdpService, Kind::kUdpService>,
                          &Retirement::delete_ingress_reports, &Retirement::delete_replica_reports,
                          &Retirement::take_ports_out}) {
    const auto done = (this->*step)();
    if (!done) failures.append(failures.empty() ? "" : "; ").append(done.error().message);
  }
  if (!failures.empty()) return base::fail(failures);
  return {};
}

/// What decides whose an object is.
base::Result<void> Retirement::read_what_selects() {
  const auto take = [this](const auto& key, const auto& object) { take_in(key, object); };
  if (auto read = list(Kind::kIngressClass, "", "", take); !read) return read;
  if (options_.translate.namespace_selector) {
    if (auto read = list(Kind::kNamespace, "", "", take); !read) return read;
  }
  const auto service = service_key();
  // One outside of the namespace that is watched is not seen by the controller either.
  const auto& only = options_.watch_namespace;
  if (service.name.empty() || !(only.empty() || only == service.name_space)) return {};
  return list(Kind::kService, service.name_space,
              "&fieldSelector=" + kube::encode_url("metadata.name=" + service.name), take);
}

base::Result<void> Retirement::clear_ingresses() {
  const auto ours = find_addresses();
  if (!ours) return base::fail("Ingresses: " + ours.error().message);
  std::size_t others = 0;
  const auto cleared =
      until_nothing_is_left([&] { return look_at_ingresses(ours->value_or(Addresses()), others); });
  if (!cleared) return std::unexpected(cleared.error());
  say_(fmt::format("Ingresses: {} statuses cleared, {} left with addresses that are not ours",
                   *cleared, others));
  // Through a Service outside of the namespace that is watched the controller writes none.
  const auto& only = options_.watch_namespace;
  const bool has_written =
      options_.publish_service.empty() || only.empty() || only == service_key().name_space;
  if (*ours || others == 0 || !has_written) return {};
  return base::fail(fmt::format(
      "Ingresses: {} have addresses, and which are ours is not known: {}", others,
      options_.publish_service.empty()
          ? "no pod of the installation runs on a node"
          : "there is no Service " + options_.publish_service + " where it is watched"));
}

base::Result<std::vector<Retirement::Due>> Retirement::look_at_ingresses(const Addresses& ours,
                                                                         std::size_t& others) {
  std::vector<Due> out;
  others = 0;
  const auto visit = [&](const objects::ObjectKey& key, const kube::RawObject& object) {
    take_in(key, object);
    const auto* ingress = world_.find<objects::Ingress>(world::path_of(key));
    translate::Reader reader(world_, options_.translate);
    if (ingress == nullptr || !translate::is_ours(reader, *ingress, options_.translate)) return;
    const auto rest = without(ingress->load_balancer, ours);
    if (!rest.empty()) ++others;
    if (rest.size() == ingress->load_balancer.size()) return;
    out.push_back({key, status_request(key, object, status_patch(rest))});
  };
  if (auto done = list(Kind::kIngress, options_.watch_namespace, "", visit); !done) {
    return std::unexpected(done.error());
  }
  return out;
}

base::Result<std::optional<Addresses>> Retirement::find_addresses() {
  if (options_.publish_service.empty()) {
    if (options_.addresses.empty()) return node_addresses();
    return options_.addresses;
  }
  const auto* service = world_.find<objects::Service>(options_.publish_service);
  if (service == nullptr) return std::nullopt;
  return addresses_of(*service);
}

/// Of every node that has one of our pods, whether it serves at this moment or not.
base::Result<std::optional<Addresses>> Retirement::node_addresses() {
  std::vector<kube::Request> requests;
  for (const auto& node : nodes_) {
    requests.emplace_back().path = kube::object_path("v1", "nodes", "", node);
  }
  Addresses out;
  for (const auto& response : caller_.ask_all(std::move(requests))) {
    if (response.status == 404) continue;
    if (!response.is_ok()) {
      return base::fail("a Node cannot be read: " + response.failure_text());
    }
    auto address = node_address(response.body, options_.reports_internal_addresses);
    if (!address) return std::unexpected(address.error());
    if (!address->empty()) out.push_back(std::move(*address));
  }
  if (out.empty()) return std::nullopt;
  return out;
}

template <class T, Kind kKind>
base::Result<void> Retirement::clear_streams() {
  const auto look = [this]() -> base::Result<std::vector<Due>> {
    std::vector<Due> out;
    const auto visit = [&](const objects::ObjectKey& key, const kube::RawObject& object) {
      take_in(key, object);
      const auto status =
          objects::read_json<objects::StreamStatus>(object.json, objects::parse_stream_status);
      if (!status || !is_written(*status)) return;
      // One that has never been readable has a status of whoever saw it, and says nothing else.
      const auto* service = world_.find<T>(world::path_of(key));
      translate::Reader reader(world_, options_.translate);
      if (service != nullptr && !translate::is_ours(reader, *service, options_.translate)) return;
      const auto patch = fmt::format(R"({{"status":{}}})", objects::retired_status_json(*status));
      out.push_back({key, status_request(key, object, patch)});
    };
    if (auto done = list(kKind, options_.watch_namespace, "", visit); !done) {
      return std::unexpected(done.error());
    }
    return out;
  };
  const auto cleared = until_nothing_is_left(look);
  if (!cleared) return std::unexpected(cleared.error());
  say_(fmt::format("{}s: {} statuses cleared", objects::info_of(kKind).name, *cleared));
  return {};
}

base::Result<void> Retirement::delete_ingress_reports() {
  const auto look = [this]() -> base::Result<std::vector<Due>> {
    std::vector<Due> out;
    const auto visit = [&](const objects::ObjectKey& key, const kube::RawObject& object) {
      const auto read = parse_report(object.json);
      translate::Reader reader(world_, options_.translate);
      const bool is_ours = read && read->report.controller == options_.translate.controller_class &&
                           translate::is_watched(reader, key.name_space, options_.translate);
      if (is_ours) out.push_back({key, deletion(key)});
    };
    if (auto done = list(Kind::kIngressReport, options_.watch_namespace, "", visit); !done) {
      return std::unexpected(done.error());
    }
    return out;
  };
  const auto deleted = until_nothing_is_left(look);
  if (!deleted) return std::unexpected(deleted.error());
  say_(fmt::format("IngressReports: {} deleted", *deleted));
  return {};
}

/// A replica that runs would only make its own anew.
base::Result<void> Retirement::delete_replica_reports() {
  std::size_t owned = 0;
  const auto look = [this, &owned]() -> base::Result<std::vector<Due>> {
    std::vector<Due> out;
    owned = 0;
    const auto visit = [&](const objects::ObjectKey& key, const kube::RawObject& object) {
      const auto read = parse_replica(object.json);
      if (!read || read->group != options_.lease) return;
      if (has_owner(object.json).value_or(false)) {
        ++owned;
      } else {
        out.push_back({key, deletion(key)});
      }
    };
    if (auto done = list(Kind::kReplicaReport, options_.name_space, "", visit); !done) {
      return std::unexpected(done.error());
    }
    return out;
  };
  const auto deleted = until_nothing_is_left(look);
  if (!deleted) return std::unexpected(deleted.error());
  say_(fmt::format("ReplicaReports: {} deleted, {} go with their pods", *deleted, owned));
  return {};
}

base::Result<void> Retirement::take_ports_out() {
  const auto* service = world_.find<objects::Service>(options_.publish_service);
  if (!options_.publishes_stream_ports || service == nullptr) return {};
  const auto ours = ServiceEntries(world_, *service).ours().size();
  if (ours > 0) {
    const auto key = service_key();
    kube::Request request;
    request.method = "PATCH";
    request.path = kube::object_path(key).append(kApplyPorts);
    request.content_type = "application/apply-patch+yaml";
    request.body = apply_json(*service, {});
    const auto response = caller_.ask(std::move(request));
    if (!response.is_ok() && response.status != 404) {
      return base::fail(objects::to_string(key) + ": " + response.failure_text());
    }
  }
  say_(fmt::format("Service {}: {} ports of streams taken out", options_.publish_service, ours));
  return {};
}

base::Result<std::size_t> Retirement::until_nothing_is_left(const Look& look) {
  std::size_t count = 0;
  std::string last;
  for (int i = 0; i < kMostLooks; ++i) {
    auto due = look();
    if (!due) return std::unexpected(due.error());
    if (due->empty()) return count;
    last = objects::to_string(due->back().key);
    std::vector<kube::Request> requests;
    for (auto& each : *due) requests.push_back(std::move(each.request));
    const auto answers = caller_.ask_all(std::move(requests));
    for (std::size_t at = 0; at < answers.size(); ++at) {
      const auto& answer = answers[at];
      if (answer.is_ok()) ++count;
      // Gone, or changed meanwhile: the next look tells.
      if (answer.is_ok() || answer.status == 404 || answer.status == 409) continue;
      return base::fail(objects::to_string((*due)[at].key) + ": " + answer.failure_text());
    }
  }
  return base::fail(last + ": somebody writes it again and again");
}

base::Result<void> Retirement::list(Kind kind, const std::string& name_space,
                                    const std::string& selector, const Visit& visit) {
  const auto& info = objects::info_of(kind);
  const auto done = caller_.list(kube::collection_path(info, name_space), selector,
                                 [&](const kube::RawObject& object) {
                                   visit({kind, object.name_space, object.name}, object);
                                 });
  if (done) return {};  // a kind that is not installed has no objects
  return base::fail(fmt::format("{}: cannot be listed: {}", info.plural, done.error().message));
}

void Retirement::take_in(const objects::ObjectKey& key, const kube::RawObject& object) {
  world::Touched ignored;
  world_.apply({key, false, std::string(object.json), ""}, ignored);
}

objects::ObjectKey Retirement::service_key() const {
  const auto& path = options_.publish_service;
  const auto slash = path.find('/');
  if (slash == path.npos) return {Kind::kService, "", ""};
  return {Kind::kService, path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace penstock::status
