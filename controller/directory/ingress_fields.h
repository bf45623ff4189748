#pragma once
// What an API server would refuse in an Ingress and what parsing passes over: fields that
// networking.k8s.io/v1 does not have, and hosts that are no names. For files only: what comes from
// an API server has been taken by it, and a newer one may have more fields.
#include <string>
#include <string_view>
#include <vector>

namespace penstock::directory {

struct FieldProblem {
  std::string pointer;  // RFC 6901
  std::string message;

  bool operator==(const FieldProblem&) const = default;
};

/// Of an Ingress as JSON.
std::vector<FieldProblem> check_ingress(std::string_view json);

}  // namespace penstock::directory
