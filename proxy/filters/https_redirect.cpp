#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

class HttpsRedirect final : public Filter {
 public:
  explicit HttpsRedirect(const snapshot::HttpsRedirect& policy) : policy_(policy) {}

  Verdict on_request(Exchange& exchange) const override {
    if (exchange.scheme != "http") return Verdict::next();
    auto target = exchange.request->path_and_query;
    // As the original: one trailing slash goes, also when it ends the query.
    if (!policy_.keeps_trailing_slash && target.ends_with('/')) target.remove_suffix(1);
    std::string location = "https://" + exchange.host;
    location += target;
    return Verdict::redirect(policy_.status, std::move(location));
  }

 private:
  snapshot::HttpsRedirect policy_;
};

}  // namespace

FilterPtr make_https_redirect(const snapshot::Route& route) {
  const auto& policy = route.policy.https_redirect;
  return policy.is_enabled ? std::make_unique<HttpsRedirect>(policy) : nullptr;
}

}  // namespace penstock::filters
