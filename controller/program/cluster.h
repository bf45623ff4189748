#pragma once
// The controller against a cluster: the API as its source, leadership, statuses.
#include <functional>
#include <memory>
#include <optional>

#include "controller/admission/webhook.h"
#include "controller/kube/kube_source.h"
#include "controller/kube/lease.h"
#include "controller/program/flags.h"
#include "controller/program/node_zone.h"
#include "controller/status/ingress_status.h"
#include "controller/status/node_addresses.h"
#include "controller/status/own_pod.h"
#include "controller/status/replica_board.h"
#include "controller/status/replicas.h"
#include "controller/status/report_writer.h"
#include "controller/status/service_ports.h"
#include "controller/status/stream_writer.h"

namespace penstock::program {

class Cluster {
 public:
  /// Reads the kubeconfig or the pod's service account.
  static base::Result<std::unique_ptr<Cluster>> make(asio::io_context& io, const Flags& flags,
                                                     Controller& controller, Metrics& metrics);
  void start();
  /// Clears the statuses where nobody is left to take over, lets go of the Lease, then calls
  /// `on_done`.
  void stop(std::function<void()> on_done);
  kube::Client& client() { return client_; }
  /// Null without an election.
  const kube::LeaderElection* election() const { return election_ ? &*election_ : nullptr; }

 private:
  Cluster(asio::io_context& io, const Flags& flags, const kube::ClusterAccess& access,
          Controller& controller, Metrics& metrics);
  void publish_addresses(asio::io_context& io, const Flags& flags);
  void expose(asio::io_context& io, const Flags& flags);
  void find_zone(asio::io_context& io, const Flags& flags);
  void report(asio::io_context& io, const Flags& flags);
  void talk_to_replicas(asio::io_context& io, const Flags& flags);
  status::Live live();
  status::Exposure exposure();
  void clear_statuses();
  void release();
  void let_go_of_lease();
  base::Result<void> serve_webhook(asio::io_context& io, const Flags& flags,
                                   const std::string& name_space);
  void elect(asio::io_context& io, const Flags& flags, const kube::ClusterAccess& access);
  void set_leading(bool is_leading);

  Controller& controller_;
  Metrics& metrics_;
  kube::Client client_;
  kube::KubeSource source_;
  std::optional<NodeZone> zone_;
  std::optional<status::NodeAddresses> nodes_;
  std::optional<status::IngressStatus> status_;
  std::string publish_service_;
  std::optional<status::OwnPod> own_pod_;
  std::optional<status::ServicePorts> service_ports_;
  std::optional<status::ReplicaBoard> board_;
  std::optional<status::StreamWriter> streams_;
  std::optional<status::ReportWriter> reports_;
  std::optional<kube::LeaderElection> election_;
  std::optional<status::Replicas> replicas_;
  std::unique_ptr<admission::Webhook> webhook_;
  kube::OneTimer clearing_;
  std::function<void()> on_stopped_;
  bool is_released_ = false;
};

}  // namespace penstock::program
