#pragma once
// Which certificate a host presents and whether it counts as a TLS host.
#include <string>
#include <vector>

#include "controller/translate/diagnostic.h"
#include "controller/translate/key_pairs.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

struct HostTls {
  bool is_tls = false;      // ssl-redirect applies, also where the certificate is not usable
  std::string certificate;  // path of a Secret with a usable pair; empty = the default certificate
};

/// Of the Ingresses of the host, oldest first, the first with any tls entry decides; where none
/// has one, those of the wildcard that would take the host. What is wrong is reported only for the
/// host's own.
HostTls tls_of(Reader& reader, KeyPairs& pairs, const Options& options, const std::string& host,
               std::vector<Diagnostic>& diagnostics);

/// "*.example.com" for "shop.example.com"; empty where no wildcard can take the host.
std::string wildcard_of(const std::string& host);

/// The Ingresses of a host that are served, oldest first.
std::vector<const objects::Ingress*> served_ingresses(Reader& reader, const Options& options,
                                                      const std::string& host);

}  // namespace penstock::translate
