#pragma once
// What TCP and UDP streams ask before they carry anything: may this client come, and to which of
// several backends does it go.
#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/net/client_hello.h"
#include "proxy/session/session_pass.h"
#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/ip_access.h"
#include "proxy/snapshot/stream.h"

namespace penstock::session {

bool admits(const snapshot::IpAccess& access, const base::Address& client);

/// The rule that takes a client, or null. Names and protocols are those of its TLS hello; empty
/// without TLS.
const snapshot::StreamRule* choose_rule(std::span<const snapshot::StreamRule> rules,
                                        const base::Address& client, const net::ClientHello& hello);

/// Who has a server name: by the whole of it, else by the longest wildcard, else whoever has those
/// that nobody else has. Null where nobody does. By search, for an HTTPS port may have thousands.
const snapshot::StreamDelegate* find_delegate(std::span<const snapshot::StreamDelegate> delegates,
                                              std::string_view server_name);

struct BackendChoice {
  const snapshot::StreamBackend* backend = nullptr;  // null: none takes the session
  SessionPass pass;                                  // to be held while the session is there
};

/// By weight, among those that have an endpoint that is up and room for one more; backups are asked
/// only where no other is so; where none is up at all, one that has room is tried all the same.
/// Where the upstreams choose by a key, so does this: `key` then stands for the client. `except` is
/// one that has just failed.
BackendChoice choose_backend(WorkerParts& worker, std::span<const snapshot::StreamBackend> backends,
                             std::uint64_t key, const snapshot::StreamBackend* except = nullptr);

}  // namespace penstock::session
