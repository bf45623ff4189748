#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

class NoEndpoints final : public Filter {
 public:
  explicit NoEndpoints(std::uint16_t status) : status_(status) {}
  Verdict on_request(Exchange& exchange) const override {
    return exchange.has_endpoints ? Verdict::next() : Verdict::reply(status_);
  }

 private:
  std::uint16_t status_;
};

/// The built-in default backend: there is nothing to ask.
class NotFound final : public Filter {
 public:
  Verdict on_request(Exchange&) const override { return Verdict::reply(404); }
};

}  // namespace

FilterPtr make_no_endpoints(const snapshot::Route& route) {
  if (route.upstream.empty()) return std::make_unique<NotFound>();
  // A default backend that is away is as if there were none: nothing matched.
  return std::make_unique<NoEndpoints>(route.ingress.empty() ? 404 : 503);
}

}  // namespace penstock::filters
