#include "controller/annotations/row.h"

namespace penstock::annotations {
namespace {

using settings::IngressPolicy;
using snapshot::NextUpstream;
using snapshot::RoutePolicy;

constexpr Setting kNextUpstream[] = {
    {"proxy-next-upstream", settings::Scope::kRoute, settings::kNextUpstreamExpected,
     [](std::string_view text, IngressPolicy& policy) {
       return settings::parse_next_upstream(text, policy.route.next_upstream);
     },
     [](const IngressPolicy& policy) {
       return settings::print_next_upstream(policy.route.next_upstream);
     },
     "When a failed request is tried again on another endpoint. POST, LOCK and PATCH are not, once "
     "sent, unless non_idempotent is among the words."},
    route<settings::Seconds, &RoutePolicy::next_upstream, &NextUpstream::timeout>(
        "proxy-next-upstream-timeout", "Time for all attempts together. 0 = no limit."),
    route<settings::Count, &RoutePolicy::next_upstream, &NextUpstream::tries>(
        "proxy-next-upstream-tries", "Attempts in total, the first included. 0 = no limit."),
};

}  // namespace

Table next_upstream() { return kNextUpstream; }

}  // namespace penstock::annotations
