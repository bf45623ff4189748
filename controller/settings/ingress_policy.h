#pragma once
#include <string>
#include <vector>

#include "proxy/snapshot/policy/balancing.h"
#include "proxy/snapshot/route.h"

namespace penstock::settings {

/// All that the annotations of one Ingress, on top of the ConfigMap, can say. Not yet brought
/// together with its hosts and certificates.
struct IngressPolicy {
  snapshot::RoutePolicy route;
  snapshot::Balancing balancing;
  bool redirects_where_tls = true;   // ssl-redirect: where the host has a tls entry
  bool redirects_always = false;     // force-ssl-redirect
  bool passes_tls_through = false;   // ssl-passthrough
  bool has_trace_collector = false;  // of the ConfigMap: there is somewhere to send spans to
  bool asks_for_trace = false;       // the Ingress itself, by enable-opentelemetry: true
  std::string denied_why;            // a security setting is broken: 503

  bool operator==(const IngressPolicy&) const = default;
};

}  // namespace penstock::settings
