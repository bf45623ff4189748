#include "controller/annotations/row.h"

namespace penstock::annotations {
namespace {

using settings::Networks;
using settings::OnBad;
using snapshot::IpAccess;
using snapshot::RoutePolicy;

constexpr Setting kIpAccess[] = {
    route<Networks, &RoutePolicy::ip_access, &IpAccess::allowed>(
        "allowlist-source-range", "Only clients from these networks; others are answered 403.",
        OnBad::kDeny, "whitelist-source-range"),
    route<Networks, &RoutePolicy::ip_access, &IpAccess::denied>(
        "denylist-source-range",
        "Clients from these networks are answered 403, even where the allowlist names them.",
        OnBad::kDeny),
};

}  // namespace

Table ip_access() { return kIpAccess; }

}  // namespace penstock::annotations
