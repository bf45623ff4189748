#pragma once
// The webhook's own authority and the certificate that it signs.
#include <optional>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace penstock::admission {

struct CertificateSet {
  std::string authority_pem;  // the key of which is thrown away: it signs once
  std::string chain_pem;
  std::string key_pem;
};

/// For these names, "DNS:a.test" or "IP:10.0.0.1", valid for a year from now.
base::Result<CertificateSet> make_certificates(const std::vector<std::string>& names);

/// When the first certificate of a PEM text ends; nothing where there is none.
std::optional<base::WallTime> end_of(const std::string& pem);
/// The first certificate of a PEM text, as text of its own; empty where there is none.
std::string first_of(const std::string& pem);

}  // namespace penstock::admission
