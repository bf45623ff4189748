#pragma once
// Parts as YAML, for people and golden files: fields in the order of their structs, those with
// their default left out, private keys never shown.
#include <string>

#include "proxy/snapshot/snapshot.h"

namespace penstock::snapshot {

/// Every part under its kind and name.
std::string to_yaml(const Snapshot& snapshot);
/// The fields of one part.
std::string to_yaml(const Part& part);

}  // namespace penstock::snapshot
