#pragma once
// What TCP and UDP streams ask before they carry anything: may this client come, and to which of
// several backends does it go.
#include <cstdint>
#include <span>

#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/ip_access.h"
#include "proxy/snapshot/stream.h"

namespace penstock::session {

bool admits(const snapshot::IpAccess& access, const base::Address& client);

/// By weight; a backend without an endpoint that is up is passed over as long as another has one.
/// Where the upstreams choose by a key, so does this: `key` then stands for the client. Null where
/// no backend has a weight.
const snapshot::StreamBackend* choose_backend(WorkerParts& worker,
                                              std::span<const snapshot::StreamBackend> backends,
                                              std::uint64_t key);

}  // namespace penstock::session
