#include "controller/annotations/row.h"

namespace penstock::annotations {
namespace {

using settings::PositiveSeconds;
using snapshot::ProxyTimeouts;
using snapshot::RoutePolicy;

constexpr Setting kProxyTimeouts[] = {
    route<PositiveSeconds, &RoutePolicy::timeouts, &ProxyTimeouts::connect>(
        "proxy-connect-timeout", "Longest wait for a connection to an endpoint."),
    route<PositiveSeconds, &RoutePolicy::timeouts, &ProxyTimeouts::read>(
        "proxy-read-timeout",
        "Longest wait between two reads from an endpoint; 504 after it. Also the idle limit of an "
        "upgraded connection."),
    route<PositiveSeconds, &RoutePolicy::timeouts, &ProxyTimeouts::send>(
        "proxy-send-timeout", "Longest wait between two writes to an endpoint."),
};

}  // namespace

Table proxy_timeouts() { return kProxyTimeouts; }

}  // namespace penstock::annotations
