#pragma once
// Names of cipher suites and curves, as users write them, in the form that OpenSSL's lists take.
#include <string>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::translate {

struct CipherLists {
  std::string ciphers;  // of TLS 1.2: "ECDHE-RSA-AES128-GCM-SHA256:..."
  std::string tls13;    // "TLS_AES_128_GCM_SHA256:..."
};

/// Takes OpenSSL's names and those of the RFCs. The error names the first that is not known.
base::Result<CipherLists> cipher_lists(const std::vector<std::string>& names);
/// The same for groups of key exchange: "X25519:P-256".
base::Result<std::string> curve_list(const std::vector<std::string>& names);

}  // namespace penstock::translate
