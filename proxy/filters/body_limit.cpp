#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

/// Refuses by the announced length; a chunked body is counted by the session as it comes.
class BodyLimit final : public Filter {
 public:
  explicit BodyLimit(base::ByteSize limit) : limit_(limit) {}

  Verdict on_request(Exchange& exchange) const override {
    return exchange.request->content_length > limit_.bytes ? Verdict::reply(413) : Verdict::next();
  }

 private:
  base::ByteSize limit_;
};

}  // namespace

FilterPtr make_body_limit(const snapshot::Route& route) {
  const auto limit = route.policy.body.max_size;
  return limit.bytes == 0 ? nullptr : std::make_unique<BodyLimit>(limit);
}

}  // namespace penstock::filters
