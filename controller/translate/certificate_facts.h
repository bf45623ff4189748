#pragma once
// What a certificate says of itself, for people and metrics. Pure.
#include <cstdint>
#include <string>

#include "proxy/base/result.h"

namespace penstock::translate {

struct CertificateFacts {
  std::int64_t expires = 0;   // end of validity, seconds since 1970
  std::string serial_number;  // decimal
  std::string issuer_common_name;
  std::string issuer_organization;
  std::string issuer_serial_number;  // the attribute of its name; nearly always empty
  std::string public_key_algorithm;  // "RSA", "ECDSA", "Ed25519"; empty where it is another
};

/// Of the first certificate of a PEM chain.
base::Result<CertificateFacts> certificate_facts(const std::string& chain_pem);

/// A sentence where the certificate has expired at `now` (seconds since 1970), else empty.
std::string why_expired(const CertificateFacts& facts, std::int64_t now);

}  // namespace penstock::translate
