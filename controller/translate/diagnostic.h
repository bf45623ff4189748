#pragma once
#include <compare>
#include <cstdint>
#include <string>

#include "controller/objects/object.h"

namespace penstock::translate {

/// What the condition of a status or a report says of a diagnostic, where there is one that does.
enum class Reason : std::uint8_t {
  kNone,
  kInvalidSpec,
  kPortNotAllowed,
  kPortReserved,
  kPortConflict,
  kPortPending,  // it takes any, and has none yet
  kSniConflict,
  kRefNotPermitted,
  kBackendNotFound,
  kPortNotFound,
  kDnsUnresolved,
  kUnsupportedValue,
  kInvalidCertificate,
  kAnnotationIgnored,  // nobody serves it
  kAnnotationRefused,  // its value cannot be used
  kPathTaken,
  kCertificateNotUsed,
  kNotOurs,  // another controller's, or nobody's: no mistake of what is served
};

/// Another has the port, or a name of it.
constexpr bool is_conflict(Reason reason) {
  return reason == Reason::kPortConflict || reason == Reason::kSniConflict;
}

/// Something that a user wrote and that is not served as written.
struct Diagnostic {
  objects::ObjectKey object;
  std::string field;    // a JSON pointer into the object; may be empty
  std::string message;  // names the key, what was expected and what was found
  Reason reason = Reason::kNone;
  objects::ObjectKey other = {};  // who has the port or the path

  auto operator<=>(const Diagnostic&) const = default;
  bool operator==(const Diagnostic&) const = default;
};

/// "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-body-size"
std::string annotation_field(std::string_view annotation);
/// "Ingress shop/web: spec.rules[0].host: ..."
std::string to_string(const Diagnostic& diagnostic);
/// The same without the object.
std::string without_object(const Diagnostic& diagnostic);

}  // namespace penstock::translate
