#pragma once
// What a running controller publishes, read over its socket as a proxy would, and never answered.
#include <string>

#include "proxy/base/result.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::cli {

base::Result<snapshot::Snapshot> read_snapshot(const std::string& socket);

}  // namespace penstock::cli
