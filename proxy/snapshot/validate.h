#pragma once
// What must hold in a snapshot beyond each field's own type; the proxy refuses a version that
// breaks it. Each reason names the part, the field, what was expected and what was found.
#include <string>
#include <vector>

#include "proxy/snapshot/snapshot.h"

namespace penstock::snapshot {

/// Checks the parts of `update` against what `after` (the snapshot with the update applied) holds.
/// Empty = adopted.
std::vector<std::string> validate(const Update& update, const Snapshot& after);

}  // namespace penstock::snapshot
