#include "controller/program/cluster.h"

#include <unistd.h>

#include <cstdlib>
#include <random>

#include "proxy/base/log.h"

namespace penstock::program {
namespace {

std::string environment(const char* name) {
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
  for (const auto* path : {&flags.translate.config_map, &flags.translate.tcp_services,
                           &flags.translate.udp_services}) {
    if (!path->empty()) options.config_maps.push_back(*path);
  }
  options.watches_namespaces = !flags.watch_namespace_selector.empty();
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
  return std::unique_ptr<Cluster>(new Cluster(io, flags, *access, controller, metrics));
}

Cluster::Cluster(asio::io_context& io, const Flags& flags, const kube::ClusterAccess& access,
                 Controller& controller, Metrics& metrics)
    : controller_(controller),
      metrics_(metrics),
      client_(io, access),
      source_(io, client_, source_options(flags), controller.source_events(), make_random()) {
  const bool has_address = !flags.publish_service.empty() || !flags.publish_status_address.empty();
  if (!flags.updates_status || !has_address) return;
  status_.emplace(io, client_,
                  status::IngressStatus::Options{
                      flags.publish_service, status::parse_addresses(flags.publish_status_address)},
                  [this] {
                    return status::IngressStatus::View{
                        &controller_.world(), &controller_.translator().served_ingresses()};
                  });
  controller.on_translated = [this] { status_->update(); };
  kube::LeaseOptions lease;
  const auto name_space = environment("POD_NAMESPACE");
  lease.name_space = name_space.empty() ? access.name_space : name_space;
  lease.name = flags.election_id;
  const auto pod = environment("POD_NAME");
  lease.identity = pod.empty() ? host_name() + "-" + std::to_string(getpid()) : pod;
  kube::LeaderElection::Events events;
  events.on_started_leading = [this] {
    base::log::info("this replica writes statuses now");
    metrics_.set_leading(true);
    status_->set_leading(true);
  };
  events.on_stopped_leading = [this] {
    base::log::info("this replica no longer writes statuses");
    metrics_.set_leading(false);
    status_->set_leading(false);
  };
  election_.emplace(io, client_, std::move(lease), std::move(events), make_random());
}

void Cluster::start() {
  controller_.run_from(source_);
  if (election_) election_->start();
}

void Cluster::stop(std::function<void()> on_done) {
  if (!election_) return on_done();
  election_->stop(std::move(on_done));
}

}  // namespace penstock::program
