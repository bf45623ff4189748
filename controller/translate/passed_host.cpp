#include "controller/translate/passed_host.h"

#include <fmt/format.h>

namespace penstock::translate {

snapshot::Stream passed_host(const std::string& host, const snapshot::Route& root,
                             const Options& options, const settings::StreamDefaults& defaults) {
  snapshot::Stream stream;
  stream.port = options.https_port;
  stream.name = fmt::format("tcp/{}/{}", stream.port, host);
  stream.entrance = snapshot::StreamEntrance::kNames;
  stream.name_space = root.name_space;
  stream.object = root.ingress;
  stream.owner = fmt::format("Ingress {}/{}", root.name_space, root.ingress);
  stream.log_name = fmt::format("tcp-{}-{}-{}", root.name_space, root.ingress, stream.port);
  stream.tls.mode = snapshot::StreamTlsMode::kPassthrough;
  stream.access = root.policy.ip_access;
  stream.idle_timeout = defaults.idle_timeout;
  stream.retries_next_upstream = defaults.retries_next_upstream;
  stream.tries = defaults.tries;
  stream.retry_timeout = defaults.retry_timeout;
  if (!root.denied_why.empty()) return stream;
  snapshot::StreamBackend backend;
  backend.upstream = root.upstream;
  stream.rules.push_back({{}, {std::move(backend)}});
  return stream;
}

}  // namespace penstock::translate
