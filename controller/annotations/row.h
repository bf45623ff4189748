#pragma once
#include "controller/annotations/annotations.h"
#include "controller/settings/kinds.h"

namespace penstock::annotations {

/// A row for a value of the route's policy.
template <class Kind, auto... Path>
constexpr Setting route(std::string_view name, std::string_view doc,
                        settings::OnBad on_bad = settings::OnBad::kKeepDefault,
                        std::string_view alias = {}) {
  return settings::setting<Kind, &settings::IngressPolicy::route, Path...>(
      name, settings::Scope::kRoute, doc, on_bad, alias);
}

}  // namespace penstock::annotations
