#include <fmt/format.h>

#include "proxy/filters/pipeline.h"

namespace penstock::filters {
namespace {

/// RFC 6797, on answers over TLS only: over plain HTTP a browser ignores the header.
class Hsts final : public Filter {
 public:
  void on_response(Exchange& exchange) const override {
    if (!exchange.is_tls || exchange.texts->hsts.empty()) return;
    AddedHeader header{"Strict-Transport-Security", exchange.texts->hsts};
    exchange.response_headers.push_back(std::move(header));
  }
};

}  // namespace

std::string hsts_text(const snapshot::TlsSettings& tls) {
  if (!tls.has_hsts) return {};
  return fmt::format("max-age={}{}{}", tls.hsts_max_age_seconds,
                     tls.hsts_includes_subdomains ? "; includeSubDomains" : "",
                     tls.hsts_preload ? "; preload" : "");
}

FilterPtr make_hsts(const snapshot::Route&) { return std::make_unique<Hsts>(); }

}  // namespace penstock::filters
