#pragma once
// The global ConfigMap: one table of keys over one struct, whose initial values are the defaults.
#include <map>
#include <string>
#include <vector>

#include "controller/settings/ingress_policy.h"
#include "controller/settings/ingress_rules.h"
#include "controller/settings/setting.h"
#include "proxy/snapshot/global.h"

namespace penstock::settings {

/// What a stream has where its own object does not say.
struct StreamDefaults {
  base::Duration idle_timeout{600'000};
  bool retries_next_upstream = true;
  base::Duration retry_timeout{600'000};
  std::uint32_t tries = 3;
  std::uint32_t responses = 1;  // UDP: datagrams that answer one of a client

  bool operator==(const StreamDefaults&) const = default;
};

struct GlobalSettings {
  snapshot::Global proxy;
  IngressPolicy ingress;  // what annotations start from
  IngressRules rules;     // what they may be
  StreamDefaults stream;
  std::vector<std::string> no_redirect_prefixes = {"/.well-known/acme-challenge"};

  bool operator==(const GlobalSettings&) const = default;
};

/// Sorted by name.
Table<GlobalSettings> global_table();

/// A key of the map that could not be used, as a sentence.
struct KeyProblem {
  std::string key;
  std::string message;
};

/// `settings` starts as the defaults of the build; keys that cannot be used leave them as they are.
std::vector<KeyProblem> apply_global(const std::map<std::string, std::string>& data,
                                     GlobalSettings& settings);

}  // namespace penstock::settings
