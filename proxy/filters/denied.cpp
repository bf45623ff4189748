#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

class Denied final : public Filter {
 public:
  Verdict on_request(Exchange&) const override { return Verdict::reply(503); }
};

}  // namespace

FilterPtr make_denied(const snapshot::Route& route) {
  return route.denied_why.empty() ? nullptr : std::make_unique<Denied>();
}

}  // namespace penstock::filters
