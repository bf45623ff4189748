#include "controller/program/cluster.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "controller/program/access.h"
#include "controller/program/pod.h"
#include "proxy/base/log.h"

namespace penstock::program {
namespace {

/// How long an ending controller waits for the API server; others wait for its Lease meanwhile.
constexpr std::chrono::seconds kLongestClearing{20};

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

/// Spreads retries; nothing secret depends on it.
kube::Random make_random() {
  return [engine = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(engine);
  };
}

kube::KubeSource::Options source_options(const Flags& flags) {
  kube::KubeSource::Options options;
  options.watch_namespace = flags.watch_namespace;
  options.watches_namespaces = !flags.watch_namespace_selector.empty() || flags.obeys_port_policies;
  options.watches_port_policies = flags.obeys_port_policies;
  options.secret_namespaces = flags.translate.secret_namespaces;
  if (!flags.translate.default_certificate.empty()) {
    options.named_secrets.push_back(flags.translate.default_certificate);
  }
  for (const auto* path : {&flags.translate.config_map, &flags.translate.tcp_services,
                           &flags.translate.udp_services}) {
    if (!path->empty()) options.config_maps.push_back(*path);
  }
  return options;
}

}  // namespace

base::Result<std::unique_ptr<Cluster>> Cluster::make(asio::io_context& io, const Flags& flags,
                                                     Controller& controller, Metrics& metrics) {
  auto access = find_access(flags);
  if (!access) return std::unexpected(access.error());
  std::unique_ptr<Cluster> out(new Cluster(io, flags, *access, controller, metrics));
  if (!flags.webhook_address.empty()) {
    const auto served = out->serve_webhook(io, flags, access->name_space);
    if (!served) return std::unexpected(served.error());
  }
  return out;
}

Cluster::Cluster(asio::io_context& io, const Flags& flags, const kube::ClusterAccess& access,
                 Controller& controller, Metrics& metrics)
    : controller_(controller),
      metrics_(metrics),
      client_(io, access),
      source_(io, client_, source_options(flags), controller.source_events(), make_random()),
      clearing_(io) {
  find_zone(io, flags);
  if (!flags.updates_status) return;
  publish_addresses(io, flags);
  expose(io, flags);
  report(io, flags);
  elect(io, flags, access);
}

void Cluster::find_zone(asio::io_context& io, const Flags& flags) {
  if (!flags.reads_zone || !flags.translate.zone.empty()) return;
  const auto pod = this_pod();
  if (pod.name.empty() || pod.name_space.empty()) {
    base::log::warn("--enable-topology-aware-routing has no effect without POD_NAME and "
                    "POD_NAMESPACE, or --zone");
    return;
  }
  zone_.emplace(io, client_, pod.name_space, pod.name, make_random());
}

void Cluster::publish_addresses(asio::io_context& io, const Flags& flags) {
  status::IngressStatus::Options options;
  options.publish_service = flags.publish_service;
  options.addresses = status::parse_addresses(flags.publish_status_address);
  if (options.publish_service.empty() && options.addresses.empty()) {
    const auto pod = this_pod();
    if (pod.name.empty() || pod.name_space.empty()) return;  // no pod, no node
    nodes_.emplace(
        io, client_,
        status::NodeAddresses::Options{pod.name_space, pod.name, flags.reports_internal_addresses},
        make_random(), [this] {
          status_->update({});
          streams_->update();
        });
    options.nodes = [this] { return nodes_->addresses(); };
  }
  status_.emplace(io, client_, std::move(options), [this] {
    return status::IngressStatus::View{&controller_.world(),
                                       &controller_.translator().served_ingresses()};
  });
}

/// How clients reach the ports of streams.
void Cluster::expose(asio::io_context& io, const Flags& flags) {
  publish_service_ = flags.publish_service;
  const auto update = [this] { streams_->update(); };
  if (flags.publishes_stream_ports) {
    service_ports_.emplace(
        io, client_, publish_service_,
        [this] {
          return status::ServicePorts::View{&controller_.world(), &controller_.translator(),
                                            controller_.has_translated()};
        },
        update);
  }
  const auto pod = this_pod();
  if (!publish_service_.empty() || pod.name.empty() || pod.name_space.empty()) return;
  own_pod_.emplace(io, client_, pod.name_space, pod.name, update);
}

status::Exposure Cluster::exposure() {
  const auto& world = controller_.world();
  status::Exposure out;
  out.service_path = publish_service_;
  out.service = world.find<objects::Service>(publish_service_);
  if (out.service != nullptr) out.entries = {world, *out.service};
  if (service_ports_) {
    const auto& translator = controller_.translator();
    out.written = status::held_ports(translator.parts(), translator.options());
    out.refusals = service_ports_->refusals();
  }
  if (own_pod_) out.pod = own_pod_->ports();
  out.is_pod_unread = own_pod_ && !out.pod;
  out.addresses = status_ ? status_->addresses(world) : status::Addresses();
  return out;
}

void Cluster::report(asio::io_context& io, const Flags& flags) {
  talk_to_replicas(io, flags);
  streams_.emplace(io, client_, [this] {
    return status::StreamWriter::View{&controller_.world(), &controller_.translator(), live(),
                                      exposure()};
  });
  reports_.emplace(
      io, client_, status::ReportWriter::Options{.watch_namespace = flags.watch_namespace},
      make_random(), [this] {
        return status::ReportWriter::View{&controller_.world(), &controller_.translator(), live()};
      });
  controller_.on_translated = [this] {
    if (status_) status_->update(controller_.translator().reviewed_ingresses());
    if (service_ports_) service_ports_->update();
    streams_->update();
    reports_->update();
  };
  controller_.on_live = [this] {
    if (board_) board_->update();
    streams_->update();
    reports_->update_live();
  };
}

void Cluster::talk_to_replicas(asio::io_context& io, const Flags& flags) {
  const auto pod = this_pod();
  if (pod.name.empty() || pod.name_space.empty()) return;
  status::ReplicaBoard::Events events;
  events.mine = [this, name = flags.translate.controller_class, group = flags.election_id] {
    const auto& server = controller_.server();
    status::ReplicaReport out;
    out.controller = name;
    out.group = group;
    out.config = server.history().name_at(server.serving());
    out.proxies = server.proxies();
    out.problems = controller_.port_problems();
    return out;
  };
  events.on_change = [this] {
    streams_->update();
    reports_->update_live();
  };
  board_.emplace(
      io, client_,
      status::ReplicaBoard::Options{.name_space = pod.name_space, .pod = pod.name, .uid = pod.uid},
      std::move(events), make_random());
}

/// What the proxies of all replicas serve.
status::Live Cluster::live() {
  const auto& server = controller_.server();
  status::Live out;
  out.version = server.version();
  out.config = server.history().name_at(out.version);
  out.proxies = server.proxies();
  out.problems = controller_.port_problems();
  out.down = controller_.endpoints_down();
  if (!board_) {
    out.proxies_at = [&server](std::uint64_t version) { return server.proxies_at(version); };
    return out;
  }
  if (!board_->is_known()) return {};  // whoever counts now counts too few
  // What stands under a name now may be replaced at any moment: no more than that has been reached.
  const auto others = board_->others([&server](const std::string& config) {
    return std::min(server.history().last_under(config), server.version());
  });
  if (!others.empty()) out.proxies = std::max<std::size_t>(out.proxies, 1);
  for (const auto& other : others) {
    // One that has none is a replica that serves nothing.
    out.proxies += std::max<std::size_t>(other.report.proxies, 1);
    for (const auto& each : other.report.problems) {
      out.problems.push_back(fmt::format("{} (replica {})", each, other.pod));
    }
  }
  out.proxies_at = [&server, others](std::uint64_t version) {
    auto count = server.proxies_at(version);
    for (const auto& other : others) count += other.reached >= version ? other.report.proxies : 0;
    return count;
  };
  return out;
}

void Cluster::elect(asio::io_context& io, const Flags& flags, const kube::ClusterAccess& access) {
  kube::LeaseOptions lease;
  const auto pod = this_pod();
  lease.name_space = pod.name_space.empty() ? access.name_space : pod.name_space;
  lease.name = flags.election_id;
  lease.duration = flags.election_ttl;
  lease.identity = pod.name.empty() ? host_name() + "-" + std::to_string(getpid()) : pod.name;
  if (flags.clears_status_on_shutdown && !pod.name.empty()) {
    replicas_.emplace(client_, lease.name_space, pod.name);
  }
  kube::LeaderElection::Events events;
  events.on_started_leading = [this] { set_leading(true); };
  events.on_stopped_leading = [this] { set_leading(false); };
  election_.emplace(io, client_, std::move(lease), std::move(events), make_random());
}

base::Result<void> Cluster::serve_webhook(asio::io_context& io, const Flags& flags,
                                          const std::string& name_space) {
  const auto pod = this_pod();
  admission::Webhook::Options options{
      flags.webhook_address, flags.webhook_certificate, flags.webhook_key,
      pod.name_space.empty() ? name_space : pod.name_space, flags.webhook_name};
  const auto get_site = [this, is_strict = flags.webhook_refuses_taken_ports,
                         is_deep = flags.webhook_inspects_deeply,
                         only = flags.watch_namespace]() -> std::optional<admission::Site> {
    if (!controller_.has_translated()) return std::nullopt;
    return admission::Site{controller_.world(), controller_.translator(), is_strict, only, is_deep};
  };
  auto webhook = admission::Webhook::start(
      io, client_, std::move(options), get_site,
      [this](const admission::Verdict& verdict, std::chrono::nanoseconds time) {
        metrics_.add_review(verdict.is_allowed, time);
      });
  if (!webhook) return std::unexpected(webhook.error());
  webhook_ = std::move(*webhook);
  return {};
}

void Cluster::set_leading(bool is_leading) {
  base::log::info("this replica {} statuses", is_leading ? "writes" : "no longer writes");
  metrics_.set_leading(is_leading);
  if (nodes_) is_leading ? nodes_->start() : nodes_->stop();
  if (status_) status_->set_leading(is_leading);
  if (own_pod_) is_leading ? own_pod_->start() : own_pod_->stop();
  if (service_ports_) service_ports_->set_leading(is_leading);
  if (board_) board_->set_leading(is_leading);
  streams_->set_leading(is_leading);
  reports_->set_leading(is_leading);
}

void Cluster::start() {
  if (zone_) {
    // Which endpoints a table has hangs on it.
    zone_->start([this](std::string zone) {
      controller_.set_zone(std::move(zone));
      controller_.run_from(source_);
    });
  } else {
    controller_.run_from(source_);
  }
  if (election_) election_->start();
}

void Cluster::stop(std::function<void()> on_done) {
  if (!election_) return on_done();
  on_stopped_ = std::move(on_done);
  if (!election_->is_leading() || !replicas_ || !status_) return release();
  clearing_.after(kLongestClearing, [this] {
    base::log::warn("the statuses were not cleared in time");
    release();
  });
  clear_statuses();
}

/// Only the last one: an address that another replica serves must stay where clients find it.
void Cluster::clear_statuses() {
  replicas_->count([this](std::optional<std::size_t> others) {
    if (others != 0U) return release();
    status_->clear([this] { release(); });
  });
}

void Cluster::release() {
  clearing_.cancel();
  if (std::exchange(is_released_, true)) return;
  if (!board_) return let_go_of_lease();
  board_->stop([this] { let_go_of_lease(); });
}

void Cluster::let_go_of_lease() {
  if (auto done = std::exchange(on_stopped_, nullptr)) election_->stop(std::move(done));
}

}  // namespace penstock::program
