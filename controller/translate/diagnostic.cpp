#include "controller/translate/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/objects/json.h"
#include "proxy/base/text.h"

namespace penstock::translate {
namespace {

constexpr std::string_view kAnnotations = "/metadata/annotations/";

/// "/spec/rules/0/host" as people write it: "spec.rules[0].host".
std::string dotted(std::string_view pointer) {
  std::string out;
  for (const auto token : base::split(pointer, '/')) {
    if (token.empty()) continue;
    const bool is_index = std::ranges::all_of(token, base::is_digit);
    if (is_index) {
      out += fmt::format("[{}]", token);
    } else {
      if (!out.empty()) out += '.';
      out += token;
    }
  }
  return out;
}

}  // namespace

std::string annotation_field(std::string_view annotation) {
  return std::string(kAnnotations) + objects::escape_pointer(annotation);
}

std::string to_string(const Diagnostic& diagnostic) {
  return objects::to_string(diagnostic.object) + ": " + without_object(diagnostic);
}

std::string without_object(const Diagnostic& diagnostic) {
  // The messages of annotations and of ConfigMap keys name them already.
  const bool is_named = diagnostic.field.empty() || diagnostic.field.starts_with(kAnnotations) ||
                        diagnostic.field.starts_with("/data/");
  if (is_named) return diagnostic.message;
  return fmt::format("{}: {}", dotted(diagnostic.field), diagnostic.message);
}

}  // namespace penstock::translate
