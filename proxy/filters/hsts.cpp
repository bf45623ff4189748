#include <fmt/format.h>

#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

/// RFC 6797, on answers over TLS only: over plain HTTP a browser ignores the header.
class Hsts final : public Filter {
 public:
  void on_response(Exchange& exchange) const override {
    const auto& tls = exchange.global->tls;
    if (!exchange.is_tls || !tls.has_hsts) return;
    auto value = fmt::format("max-age={}{}{}", tls.hsts_max_age_seconds,
                             tls.hsts_includes_subdomains ? "; includeSubDomains" : "",
                             tls.hsts_preload ? "; preload" : "");
    AddedHeader header{"Strict-Transport-Security", std::move(value)};
    exchange.response_headers.push_back(std::move(header));
  }
};

}  // namespace

FilterPtr make_hsts(const snapshot::Route&) { return std::make_unique<Hsts>(); }

}  // namespace penstock::filters
