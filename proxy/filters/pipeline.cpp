#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

struct PipelineEntry {
  const char* name;
  FilterPtr (*make)(const snapshot::Route&);
};

// The order is nginx's phases as ingress-nginx uses them: rewrite, then access.
constexpr PipelineEntry kPipeline[] = {
    {"denied", make_denied},                  // a broken security setting closes the route first
    {"https_redirect", make_https_redirect},  // rewrite phase: before any access decision
    {"no_endpoints", make_no_endpoints},      // also rewrite phase: 503 comes before 401 and 403
    {"body_limit", make_body_limit},          // as soon as the location is known
    {"ip_access", make_ip_access},            // access phase
    {"hsts", make_hsts},                      // responses only
};

}  // namespace

GlobalTexts make_texts(const snapshot::Global& global) { return {hsts_text(global.tls)}; }

std::vector<FilterPtr> make_filters(const snapshot::Route& route) {
  std::vector<FilterPtr> filters;
  for (const auto& entry : kPipeline) {
    if (auto filter = entry.make(route)) filters.push_back(std::move(filter));
  }
  return filters;
}

}  // namespace penstock::filters
