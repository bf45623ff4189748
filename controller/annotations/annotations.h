#pragma once
// What the annotations of an Ingress say, by the tables of the features.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controller/settings/ingress_policy.h"
#include "controller/settings/ingress_rules.h"
#include "controller/settings/setting.h"

namespace penstock::annotations {

using Setting = settings::Setting<settings::IngressPolicy>;
using Table = settings::Table<settings::IngressPolicy>;

/// Every annotation that is served, in the order of the list of features.
std::vector<Setting> all();

/// A rule of the ConfigMap that refuses an Ingress as a whole.
enum class Rule : char { kNone, kBlockedWord, kRiskLevel };

/// An annotation that could not be used, or that is not served.
struct Problem {
  std::string annotation;  // with its prefix
  std::string message;
  bool is_served = true;  // by this version, had it a good value
  bool denies = false;    // a security setting: the routes answer 503
  Rule rule = Rule::kNone;
  std::string verdict = {};  // what the admission webhook says, where a rule refuses
};

struct Read {
  settings::IngressPolicy policy;
  std::vector<Problem> problems;
  bool is_left_out = false;  // the Ingress must not be served at all
  bool is_refused = false;   // by a rule: no annotation counts, and its routes answer 503
};

/// `policy` starts as what the ConfigMap says. `prefix` is without the slash.
Read read(const std::map<std::string, std::string>& annotations, std::string_view prefix,
          const settings::IngressPolicy& defaults, const settings::IngressRules& rules);

// The tables, one for each feature.
Table backend();
Table balancing();
Table https_redirect();
Table ip_access();
Table next_upstream();
Table proxy_timeouts();
Table request_body();
Table ssl_passthrough();
Table trace();

}  // namespace penstock::annotations
