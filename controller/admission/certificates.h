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
/// The first certificates of a PEM text, at most so many, each as text of its own.
std::vector<std::string> certificates_of(const std::string& pem, std::size_t most);
/// Whether the first certificate of a chain is of the first authority of these.
bool is_signed_by(const std::string& chain_pem, const std::string& authority_pem);

}  // namespace penstock::admission
