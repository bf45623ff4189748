#include "controller/annotations/row.h"

namespace penstock::annotations {
namespace {

using settings::Boolean;
using settings::IngressPolicy;
using settings::Scope;
using snapshot::HttpsRedirect;
using snapshot::RoutePolicy;

constexpr Setting kHttpsRedirect[] = {
    settings::setting<Boolean, &IngressPolicy::redirects_always>(
        "force-ssl-redirect", Scope::kRoute,
        "Redirect plain HTTP to HTTPS even where the host has no certificate."),
    route<Boolean, &RoutePolicy::https_redirect, &HttpsRedirect::keeps_trailing_slash>(
        "preserve-trailing-slash", "Keep a trailing slash in that redirect; else one is removed."),
    settings::setting<Boolean, &IngressPolicy::redirects_where_tls>(
        "ssl-redirect", Scope::kRoute,
        "Redirect plain HTTP to HTTPS where the Ingress has a tls entry for the host."),
};

}  // namespace

Table https_redirect() { return kHttpsRedirect; }

}  // namespace penstock::annotations
