#pragma once
// Bytes of a part and of an update. The decoder takes hostile input: every length is checked
// against what is left before anything is allocated.
#include <span>
#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::snapshot {

std::string encode(const Part& part);
base::Result<PartPtr> decode_part(PartKind kind, std::string_view bytes);

std::string encode(const Update& update);
base::Result<Update> decode_update(std::string_view bytes);

/// Changes whenever a field of any part is added, renamed, moved or retyped: both ends of the wire
/// and the state file compare it first.
std::uint64_t schema_fingerprint();

}  // namespace penstock::snapshot
