#include "controller/annotations/annotations.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/base/text.h"

namespace penstock::annotations {
namespace {

constexpr Table (*kFeatures[])() = {
    backend,        balancing,    https_redirect,  ip_access, next_upstream,
    proxy_timeouts, request_body, ssl_passthrough, trace,
};

constexpr std::string_view kCanary = "canary";

/// The value to read for a row: of its own name, else of its alias. Null where neither is there.
const std::pair<const std::string, std::string>* find(
    const std::map<std::string, std::string>& annotations, std::string_view prefix,
    const Setting& row) {
  const auto own = annotations.find(fmt::format("{}/{}", prefix, row.name));
  if (row.alias.empty() || (own != annotations.end() && !own->second.empty())) {
    return own == annotations.end() ? nullptr : &*own;
  }
  const auto other = annotations.find(fmt::format("{}/{}", prefix, row.alias));
  if (other != annotations.end()) return &*other;
  return own == annotations.end() ? nullptr : &*own;
}

bool is_served(std::string_view name) {
  for (const auto feature : kFeatures) {
    for (const auto& row : feature()) {
      if (row.name == name || (!row.alias.empty() && row.alias == name)) return true;
    }
  }
  return false;
}

void report_unknown(const std::map<std::string, std::string>& annotations, std::string_view prefix,
                    Read& out) {
  for (const auto& [key, value] : annotations) {
    const std::string_view view(key);
    if (!view.starts_with(prefix) || view.substr(prefix.size()).substr(0, 1) != "/") continue;
    const auto name = view.substr(prefix.size() + 1);
    if (is_served(name)) continue;
    if (name == kCanary && value == "false") continue;
    if (name == kCanary) {
      // As a rule of its own it would take all of the traffic that it was to take a share of.
      out.is_left_out = value == "true";
      out.problems.push_back({key,
                              fmt::format("{}: canaries are not served by this version{}", key,
                                          out.is_left_out ? "; this Ingress is left out" : ""),
                              false});
      continue;
    }
    out.problems.push_back(
        {key, fmt::format("{}: this annotation is not served by this version", key), false});
  }
}

}  // namespace

std::vector<Setting> all() {
  std::vector<Setting> rows;
  for (const auto feature : kFeatures) {
    const auto table = feature();
    rows.insert(rows.end(), table.begin(), table.end());
  }
  return rows;
}

Read read(const std::map<std::string, std::string>& annotations, std::string_view prefix,
          const settings::IngressPolicy& defaults) {
  Read out{defaults, {}, false};
  for (const auto feature : kFeatures) {
    for (const auto& row : feature()) {
      const auto* found = find(annotations, prefix, row);
      if (found == nullptr) continue;
      const auto text = base::trim(found->second);
      if (row.apply(text, out.policy)) continue;
      auto message = settings::bad_value(found->first, row.expected, text);
      if (row.on_bad == settings::OnBad::kDeny) out.policy.denied_why = message;
      out.problems.push_back({found->first, std::move(message)});
    }
  }
  report_unknown(annotations, prefix, out);
  return out;
}

}  // namespace penstock::annotations
