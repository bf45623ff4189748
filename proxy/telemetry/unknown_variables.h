#pragma once
// What the formats of log lines and of span names ask for and nobody knows: said by the proxy when
// it takes the settings over, and by `penstock check`.
#include <string>
#include <string_view>
#include <vector>

#include "proxy/snapshot/global.h"

namespace penstock::telemetry {

/// A sentence for each variable of the formats in the settings that is not known, with the key of
/// the ConfigMap before it.
struct UnknownVariable {
  std::string_view key;
  std::string message;
};
std::vector<UnknownVariable> unknown_variables(const snapshot::Global& global);

}  // namespace penstock::telemetry
