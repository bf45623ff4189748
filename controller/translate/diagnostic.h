#pragma once
#include <compare>
#include <string>

#include "controller/objects/object.h"

namespace penstock::translate {

/// Something that a user wrote and that is not served as written.
struct Diagnostic {
  objects::ObjectKey object;
  std::string field;    // a JSON pointer into the object; may be empty
  std::string message;  // names the key, what was expected and what was found

  auto operator<=>(const Diagnostic&) const = default;
  bool operator==(const Diagnostic&) const = default;
};

/// "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-body-size"
std::string annotation_field(std::string_view annotation);
/// "Ingress shop/web: spec.rules[0].host: ..."
std::string to_string(const Diagnostic& diagnostic);

}  // namespace penstock::translate
