#pragma once
// How the API server is reached, by the flags.
#include "controller/kube/kubeconfig.h"
#include "controller/program/flags.h"

namespace penstock::program {

/// Reads the kubeconfig or the pod's service account.
base::Result<kube::ClusterAccess> find_access(const Flags& flags);

}  // namespace penstock::program
