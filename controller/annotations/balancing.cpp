#include "controller/annotations/row.h"
#include "controller/settings/balancing_kind.h"

namespace penstock::annotations {
namespace {

constexpr Setting kBalancing[] = {
    settings::setting<settings::LoadBalance, &settings::IngressPolicy::balancing,
                      &snapshot::Balancing::algorithm>(
        "load-balance", settings::Scope::kUpstream,
        "How one of the Service's endpoints is chosen. The oldest Ingress that refers to the "
        "Service's port decides for all."),
};

}  // namespace

Table balancing() { return kBalancing; }

}  // namespace penstock::annotations
