#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/snapshot/archive.h"
#include "proxy/snapshot/policy/backend.h"
#include "proxy/snapshot/policy/https_redirect.h"
#include "proxy/snapshot/policy/ip_access.h"
#include "proxy/snapshot/policy/next_upstream.h"
#include "proxy/snapshot/policy/proxy_timeouts.h"
#include "proxy/snapshot/policy/request_body.h"
#include "proxy/snapshot/policy/trace.h"

namespace penstock::snapshot {

/// Everything an annotation can say about one route; one struct per feature.
struct RoutePolicy {
  RequestBody body;
  ProxyTimeouts timeouts;
  NextUpstream next_upstream;
  HttpsRedirect https_redirect;
  IpAccess ip_access;
  Backend backend;
  Trace trace;

  template <class Archive>
  void describe(Archive& archive) {
    archive("body", body)("timeouts", timeouts)("next_upstream", next_upstream)(
        "https_redirect", https_redirect)("ip_access", ip_access)("backend", backend)("trace",
                                                                                      trace);
  }
  bool operator==(const RoutePolicy&) const = default;
};

enum class PathMatch : std::uint8_t {
  kExact,
  kPrefix,  // by path element: "/foo" takes "/foo" and "/foo/..."; "/foo/" redirects "/foo" to it
};
template <>
struct EnumNames<PathMatch> {
  static constexpr std::array<std::string_view, 2> names = {"exact", "prefix"};
};

/// One path of one host.
struct Route {
  std::string path;
  PathMatch match = PathMatch::kPrefix;
  // Labels for logs and metrics; empty on the built-in default route.
  std::string name_space;
  std::string ingress;
  std::string service;
  std::string service_port;
  std::string upstream;    // name of an Upstream part; empty = the built-in 404
  std::string denied_why;  // not empty: a security setting is broken, every request gets 503
  RoutePolicy policy;

  template <class Archive>
  void describe(Archive& archive) {
    archive("path", path)("match", match)("namespace", name_space)("ingress", ingress)(
        "service", service)("service_port", service_port)("upstream", upstream)(
        "denied_why", denied_why)("policy", policy);
  }
  bool operator==(const Route&) const = default;
};

/// All routes of one host name.
struct Host {
  std::string name;           // lower case; "*.example.com" takes one label; "_" is the catch-all
  std::string certificate;    // name of a Certificate part; empty = the default certificate
  std::vector<Route> routes;  // sorted by (path, match); no two equal

  template <class Archive>
  void describe(Archive& archive) {
    archive("name", name)("certificate", certificate)("routes", routes);
  }
  bool operator==(const Host&) const = default;
};

}  // namespace penstock::snapshot
