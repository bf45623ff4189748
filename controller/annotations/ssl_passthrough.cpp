#include "controller/annotations/row.h"

namespace penstock::annotations {
namespace {

constexpr Setting kSslPassthrough[] = {
    settings::setting<settings::Boolean, &settings::IngressPolicy::passes_tls_through>(
        "ssl-passthrough", settings::Scope::kHost,
        "Give TLS connections that ask for the host to the backend of its path / as they are; no "
        "path and no other annotation but the access list of / holds for them. Any Ingress of the "
        "host can say it. Needs the flag --enable-ssl-passthrough; not for wildcard hosts."),
};

}  // namespace

Table ssl_passthrough() { return kSslPassthrough; }

}  // namespace penstock::annotations
