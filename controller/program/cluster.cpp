#include "controller/program/cluster.h"

#include <unistd.h>

#include <cstdlib>
#include <random>

#include "controller/program/pod.h"
#include "proxy/base/log.h"

namespace penstock::program {
namespace {

/// How long an ending controller waits for the API server; others wait for its Lease meanwhile.
constexpr std::chrono::seconds kLongestClearing{20};

const char* environment(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

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
  for (const auto* path : {&flags.translate.config_map, &flags.translate.tcp_services,
                           &flags.translate.udp_services}) {
    if (!path->empty()) options.config_maps.push_back(*path);
  }
  return options;
}

}  // namespace

base::Result<std::unique_ptr<Cluster>> Cluster::make(asio::io_context& io, const Flags& flags,
                                                     Controller& controller, Metrics& metrics) {
  auto access =
      flags.kubeconfig.empty()
          ? kube::read_in_cluster(environment("KUBERNETES_SERVICE_HOST"),
                                  environment("KUBERNETES_SERVICE_PORT"))
          : kube::read_kubeconfig(flags.kubeconfig, {flags.context, flags.may_skip_tls_verify});
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
  if (!flags.updates_status) return;
  publish_addresses(io, flags);
  report(io, flags);
  elect(io, flags, access);
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
        make_random(), [this] { status_->update({}); });
    options.nodes = [this] { return nodes_->addresses(); };
  }
  status_.emplace(io, client_, std::move(options), [this] {
    return status::IngressStatus::View{&controller_.world(),
                                       &controller_.translator().served_ingresses()};
  });
}

void Cluster::report(asio::io_context& io, const Flags& flags) {
  const auto live = [this] {
    const auto& server = controller_.server();
    return status::Live{server.version(), server.proxies(),
                        [&server](std::uint64_t version) { return server.proxies_at(version); },
                        controller_.port_problems(), controller_.endpoints_down()};
  };
  streams_.emplace(io, client_, [this, live] {
    return status::StreamWriter::View{&controller_.world(), &controller_.translator(), live()};
  });
  reports_.emplace(
      io, client_, status::ReportWriter::Options{.watch_namespace = flags.watch_namespace},
      make_random(), [this, live] {
        return status::ReportWriter::View{&controller_.world(), &controller_.translator(), live()};
      });
  controller_.on_translated = [this] {
    if (status_) status_->update(controller_.translator().reviewed_ingresses());
    streams_->update();
    reports_->update();
  };
  controller_.on_live = [this] {
    streams_->update();
    reports_->update_live();
  };
}

void Cluster::elect(asio::io_context& io, const Flags& flags, const kube::ClusterAccess& access) {
  kube::LeaseOptions lease;
  const auto pod = this_pod();
  lease.name_space = pod.name_space.empty() ? access.name_space : pod.name_space;
  lease.name = flags.election_id;
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
                         only = flags.watch_namespace]() -> std::optional<admission::Site> {
    if (!controller_.has_translated()) return std::nullopt;
    return admission::Site{controller_.world(), controller_.translator(), is_strict, only};
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
  streams_->set_leading(is_leading);
  reports_->set_leading(is_leading);
}

void Cluster::start() {
  controller_.run_from(source_);
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
  if (auto done = std::exchange(on_stopped_, nullptr)) election_->stop(std::move(done));
}

}  // namespace penstock::program
