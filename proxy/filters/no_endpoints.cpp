#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

class NoEndpoints final : public Filter {
 public:
  Verdict on_request(Exchange& exchange) const override {
    return exchange.has_endpoints ? Verdict::next() : Verdict::reply(503);
  }
};

/// The built-in default backend: there is nothing to ask.
class NotFound final : public Filter {
 public:
  Verdict on_request(Exchange&) const override { return Verdict::reply(404); }
};

}  // namespace

FilterPtr make_no_endpoints(const snapshot::Route& route) {
  if (route.upstream.empty()) return std::make_unique<NotFound>();
  return std::make_unique<NoEndpoints>();
}

}  // namespace penstock::filters
