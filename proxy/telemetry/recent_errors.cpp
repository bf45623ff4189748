#include "proxy/telemetry/recent_errors.h"

namespace penstock::telemetry {

const ErrorReasonName& name_of(ErrorReason reason) {
  static constexpr std::array<ErrorReasonName, kErrorReasons> kNames = {{
      {"malformed", "Malformed request"},
      {"no_route", "No route for host and path"},
      {"denied", "Denied by an access list"},
      {"broken_setting", "Closed by a broken security setting"},
      {"too_large", "Body too large"},
      {"client_timeout", "Client too slow"},
      {"limit", "Beyond a limit"},
      {"no_endpoint", "No endpoint"},
      {"upstream_failed", "Endpoint failed"},
      {"upstream_timeout", "Endpoint too slow"},
      {"upstream_status", "Endpoint answered 5xx"},
      {"retried", "Another endpoint had to be asked"},
      {"tls_handshake", "TLS handshake failed"},
      {"internal", "Out of resources, or a mistake of ours"},
  }};
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace penstock::telemetry
