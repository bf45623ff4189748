#include "controller/annotations/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "controller/annotations/known.h"
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

/// Also in text that was made to be slow to search it takes a time in proportion to it.
bool contains(std::string_view text, std::string_view word) {
  return ::memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

void refuse(const std::string& key, std::string message, Rule rule, std::string verdict,
            Read& out) {
  message += "; the Ingress is refused, its routes answer 503";
  out.problems.push_back({key, std::move(message), true, true, rule, std::move(verdict)});
  out.is_refused = true;
}

void look_for_words(const std::string& key, std::string_view value,
                    const settings::IngressRules& rules, Read& out) {
  const auto word = std::ranges::find_if(
      rules.blocked_words, [&](std::string_view each) { return contains(value, each); });
  if (word == rules.blocked_words.end()) return;
  refuse(key,
         fmt::format("{}: expected a value without the words of annotation-value-word-blocklist, "
                     "got one with '{}'",
                     key, base::escape_controls(*word)),
         Rule::kBlockedWord, fmt::format("{} annotation contains invalid word {}", key, *word),
         out);
}

bool is_too_risky(const std::string& key, std::string_view name,
                  const settings::IngressRules& rules, Read& out) {
  const auto* known = find_known(name);
  if (known == nullptr || known->risk <= rules.highest_risk) return false;
  const auto risk = settings::RiskLevel::print(known->risk);
  const auto level = settings::RiskLevel::print(rules.highest_risk);
  refuse(key,
         fmt::format("{}: expected an annotation of at most the risk {} (annotations-risk-level), "
                     "got one of the risk {}",
                     key, level, risk),
         Rule::kRiskLevel,
         fmt::format("annotation group {} contains risky annotation based on ingress "
                     "configuration: {} has the risk {}, annotations-risk-level is {}",
                     known->group, key, risk, level),
         out);
  return true;
}

void report_unserved(const std::string& key, std::string_view name, std::string_view value,
                     Read& out) {
  if (name == kCanary && value == "false") return;
  if (name == kCanary) {
    // As a rule of its own it would take all of the traffic that it was to take a share of.
    out.is_left_out = value == "true";
    out.problems.push_back({key,
                            fmt::format("{}: canaries are not served by this version{}", key,
                                        out.is_left_out ? "; this Ingress is left out" : ""),
                            false});
    return;
  }
  const auto* what = find_known(name) != nullptr ? "this annotation is not served by this version"
                     : is_deprecated(name)
                         ? "this annotation is deprecated, and ingress-nginx ignores it, too"
                         : "this annotation is unknown and has no effect";
  out.problems.push_back({key, fmt::format("{}: {}", key, what), false});
}

/// What is wrong with annotations whatever their rows say.
void look_at_all(const std::map<std::string, std::string>& annotations, std::string_view prefix,
                 const settings::IngressRules& rules, Read& out) {
  for (const auto& [key, value] : annotations) {
    const std::string_view view(key);
    if (!view.starts_with(prefix) || view.substr(prefix.size()).substr(0, 1) != "/") continue;
    const auto name = view.substr(prefix.size() + 1);
    look_for_words(key, value, rules, out);
    if (!is_too_risky(key, name, rules, out) && !is_served(name)) {
      report_unserved(key, name, value, out);
    }
  }
}

/// Not even what works beyond the Ingress's own routes, such as ssl-passthrough.
void close_routes(const settings::IngressPolicy& defaults, Read& out) {
  out.policy = defaults;
  const auto first = std::ranges::find_if(
      out.problems, [](const Problem& each) { return each.rule != Rule::kNone; });
  out.policy.denied_why = first->message;
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
          const settings::IngressPolicy& defaults, const settings::IngressRules& rules) {
  Read out{defaults, {}};
  for (const auto feature : kFeatures) {
    for (const auto& row : feature()) {
      const auto* found = find(annotations, prefix, row);
      if (found == nullptr) continue;
      const auto text = base::trim(found->second);
      if (row.apply(text, out.policy)) continue;
      auto message = settings::bad_value(found->first, row.expected, text);
      const bool denies = row.on_bad == settings::OnBad::kDeny;
      if (denies) out.policy.denied_why = message;
      out.problems.push_back({found->first, std::move(message), true, denies});
    }
  }
  look_at_all(annotations, prefix, rules, out);
  if (out.is_refused) close_routes(defaults, out);
  return out;
}

}  // namespace penstock::annotations
