#pragma once
// AdmissionReview of admission.k8s.io/v1: what the API server asks before it stores an object, and
// what it is answered. Pure.
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/parse.h"
#include "proxy/base/result.h"

namespace penstock::admission {

struct Review {
  std::string uid;
  /// None for a kind that is not ours to judge.
  std::optional<objects::Kind> kind;
  bool is_removal = false;  // DELETE, or an object that is being deleted
  objects::ObjectKey key;
  /// spec.ingressClassName, also of an object that cannot be read.
  std::optional<std::string> class_name;
  /// As the controller would read it. Not set where there is nothing to judge.
  std::optional<std::expected<objects::Object, objects::ParseError>> object;
};

struct Verdict {
  bool is_allowed = true;
  std::string message;                // why not
  std::vector<std::string> warnings;  // shown to the user whatever the verdict

  bool operator==(const Verdict&) const = default;
};

inline Verdict refuse(std::string message) { return {false, std::move(message), {}}; }

/// Reads objects with the parser that the controller reads them with, and keeps the memory of an
/// ordinary one between them. One thread.
class ReviewReader {
 public:
  /// A sentence where it is no AdmissionReview with a request.
  base::Result<Review> read(std::string_view json);

 private:
  simdjson::dom::parser outer_;
  objects::Parser inner_;
};

/// The AdmissionReview that answers. What goes into it is bounded.
std::string write_answer(std::string_view uid, const Verdict& verdict);

}  // namespace penstock::admission
