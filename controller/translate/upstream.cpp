#include "controller/translate/upstream.h"

#include "controller/translate/endpoints.h"

namespace penstock::translate {

Output translate_upstream(Reader& reader, const Options& options, const UpstreamDemand& demand) {
  Output out;
  snapshot::Upstream upstream;
  upstream.name = demand.part;
  upstream.name_space = demand.name_space;
  upstream.service = demand.service.empty() ? demand.host : demand.service;
  upstream.port = demand.port.text();
  upstream.balancing = demand.balancing;
  upstream.passive_health = demand.passive_health;
  upstream.health_check = demand.health_check;
  out.add(snapshot::PartKind::kUpstream, demand.part, std::move(upstream));
  auto found = endpoints_of(reader, demand, options);
  if (found.is_unresolved && found.endpoints.empty() && demand.service.empty()) {
    out.diagnostics.push_back({demand.wanted_by,
                               "",
                               "host '" + demand.host + "' has no address that DNS tells",
                               Reason::kDnsUnresolved,
                               {}});
  }
  if (!found.refused.empty()) {
    out.diagnostics.push_back(
        {demand.service.empty()
             ? demand.wanted_by
             : objects::ObjectKey{objects::Kind::kService, demand.name_space, demand.service},
         "", std::move(found.refused)});
  }
  out.add(snapshot::PartKind::kEndpoints, demand.part,
          snapshot::Endpoints{demand.part, std::move(found.endpoints)});
  return out;
}

Output translate_certificate(Reader& reader, KeyPairs& pairs, const std::string& path) {
  Output out;
  const auto& pair = pairs.get(reader, path);
  if (pair) out.add(snapshot::PartKind::kCertificate, path, snapshot::Certificate((*pair)->part()));
  return out;
}

Output translate_default_certificate(Reader& reader, KeyPairs& pairs, const Options& options) {
  Output out;
  snapshot::Certificate part{snapshot::kDefaultCertificate, options.fallback_chain_pem,
                             options.fallback_key_pem};
  if (!options.default_certificate.empty()) {
    const auto& pair = pairs.get(reader, options.default_certificate);
    if (pair) {
      part.chain_pem = (*pair)->part().chain_pem;
      part.private_key_pem = (*pair)->part().private_key_pem;
    } else {
      const auto slash = options.default_certificate.find('/');
      out.diagnostics.push_back(
          {{objects::Kind::kSecret, options.default_certificate.substr(0, slash),
            options.default_certificate.substr(slash + 1)},
           "",
           pair.error().message + "; the default certificate is a self-signed one"});
    }
  }
  if (!part.chain_pem.empty()) {
    out.add(snapshot::PartKind::kCertificate, snapshot::kDefaultCertificate, std::move(part));
  }
  return out;
}

}  // namespace penstock::translate
