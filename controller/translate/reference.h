#pragma once
// May an object refer to one of another namespace? (ReferenceGrant of Gateway API) Nothing here
// looks at what is referred to, so that nobody learns whether it exists.
#include <string>
#include <vector>

#include "controller/objects/tcp_service.h"
#include "controller/objects/udp_service.h"
#include "controller/translate/diagnostic.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// Empty where it may; else why not. In its own namespace it always may.
std::string refused_because(Reader& reader, const Options& options,
                            const objects::Reference& reference);

/// Of the Service of a backend.
inline const std::string& namespace_of(const objects::Meta& meta,
                                       const objects::StreamBackend& backend) {
  return backend.name_space.empty() ? meta.name_space : backend.name_space;
}
inline const std::string& namespace_of(const objects::Meta& meta,
                                       const objects::SecretRef& secret) {
  return secret.name_space.empty() ? meta.name_space : secret.name_space;
}

/// Those of a whole object, which need not be in the world yet.
std::vector<Diagnostic> refused_references(Reader& reader, const Options& options,
                                           const objects::TcpService& service);
std::vector<Diagnostic> refused_references(Reader& reader, const Options& options,
                                           const objects::UdpService& service);

}  // namespace penstock::translate
