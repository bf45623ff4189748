#pragma once
// A host of Ingresses whose TLS is passed through (annotation ssl-passthrough).
#include <string>

#include "controller/settings/global.h"
#include "controller/translate/options.h"
#include "proxy/snapshot/route.h"
#include "proxy/snapshot/stream.h"

namespace penstock::translate {

/// The stream that takes the host's connections from the HTTPS listener; `root` is the route of its
/// path /. Who may come is said by its access list, which needs no decrypted byte; one that is
/// broken lets nobody in.
snapshot::Stream passed_host(const std::string& host, const snapshot::Route& root,
                             const Options& options, const settings::StreamDefaults& defaults);

}  // namespace penstock::translate
