#pragma once
// The order in which features meet a request: position is meaning, so every row says why it stands
// where it does.
#include <vector>

#include "proxy/filters/filter.h"
#include "proxy/snapshot/route.h"

namespace penstock::filters {

/// The filters that this route uses, in order.
std::vector<FilterPtr> make_filters(const snapshot::Route& route);

/// What filters need of the global settings, as text.
GlobalTexts make_texts(const snapshot::Global& global);
std::string hsts_text(const snapshot::TlsSettings& tls);

// Null where the route does not use the feature.
FilterPtr make_denied(const snapshot::Route& route);
FilterPtr make_https_redirect(const snapshot::Route& route);
FilterPtr make_no_endpoints(const snapshot::Route& route);
FilterPtr make_ip_access(const snapshot::Route& route);
FilterPtr make_body_limit(const snapshot::Route& route);
FilterPtr make_hsts(const snapshot::Route& route);

}  // namespace penstock::filters
