#include "controller/annotations/row.h"
#include "controller/settings/trace_kinds.h"

namespace penstock::annotations {
namespace {

using settings::Boolean;
using settings::IngressPolicy;
using settings::OperationName;
using settings::Scope;

base::Result<void> apply_enable(std::string_view text, IngressPolicy& policy) {
  const auto value = Boolean::parse(text);
  if (!value) return std::unexpected(value.error());
  if (*value && !policy.has_trace_collector) return base::fail("nowhere to send spans");
  policy.route.trace.is_enabled = *value;
  policy.asks_for_trace = *value;
  return {};
}

base::Result<void> apply_trust(std::string_view text, IngressPolicy& policy) {
  const auto value = Boolean::parse(text);
  if (!value) return std::unexpected(value.error());
  auto& trusts = policy.route.trace.trusts_incoming;
  if (*value != trusts && !policy.asks_for_trace) return base::fail("not asked for");
  trusts = *value;
  return {};
}

base::Result<void> apply_operation(std::string_view text, IngressPolicy& policy) {
  auto value = OperationName::parse(text);
  if (!value) return std::unexpected(value.error());
  if (!value->empty() && !policy.asks_for_trace) return base::fail("not asked for");
  policy.route.trace.operation = std::move(*value);
  return {};
}

// In the order of application: as in the original the others count beside the first one only.
constexpr Setting kTrace[] = {
    {"enable-opentelemetry", Scope::kRoute,
     "true or false; true needs otlp-collector-host in the ConfigMap", apply_enable,
     [](const IngressPolicy& policy) { return Boolean::print(policy.route.trace.is_enabled); },
     "Whether requests have spans and the endpoints are told of them."},
    {"opentelemetry-operation-name", Scope::kRoute,
     "letters, digits, '-' and '_', beside enable-opentelemetry: true", apply_operation,
     [](const IngressPolicy& policy) { return policy.route.trace.operation; },
     "Name of the request's span."},
    {"opentelemetry-trust-incoming-span", Scope::kRoute,
     "true or false, beside enable-opentelemetry: true", apply_trust,
     [](const IngressPolicy& policy) { return Boolean::print(policy.route.trace.trusts_incoming); },
     "A client's traceparent is continued; false: each request begins a trace."},
};

}  // namespace

Table trace() { return kTrace; }

}  // namespace penstock::annotations
