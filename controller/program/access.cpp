#include "controller/program/access.h"

#include <cstdlib>

namespace penstock::program {
namespace {

const char* environment_of(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

base::Result<kube::ClusterAccess> find_access(const Flags& flags) {
  base::Result<kube::ClusterAccess> access;
  if (!flags.kubeconfig.empty()) {
    access = kube::read_kubeconfig(flags.kubeconfig, {flags.context, flags.may_skip_tls_verify});
  } else if (flags.api_server.empty()) {
    access = kube::read_in_cluster(environment_of("KUBERNETES_SERVICE_HOST"),
                                   environment_of("KUBERNETES_SERVICE_PORT"));
  }
  if (!access || flags.api_server.empty()) return access;
  return kube::with_server(std::move(*access), flags.api_server, flags.api_server_authority);
}

}  // namespace penstock::program
