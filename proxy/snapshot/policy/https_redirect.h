#pragma once
#include <cstdint>

namespace penstock::snapshot {

/// Sends plain HTTP to HTTPS. `is_enabled` is already the outcome of ssl-redirect,
/// force-ssl-redirect, the host's certificate and no-tls-redirect-locations.
struct HttpsRedirect {
  bool is_enabled = false;
  std::uint16_t status = 308;
  bool keeps_trailing_slash = false;

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_enabled", is_enabled)("status", status)("keeps_trailing_slash",
                                                        keeps_trailing_slash);
  }
  bool operator==(const HttpsRedirect&) const = default;
};

}  // namespace penstock::snapshot
