#pragma once
// What TCP and UDP streams ask before they carry anything: may this client come, and to which of
// several backends does it go.
#include <cstdint>
#include <span>

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

struct KnownEndpoint {
  BackendChoice choice;
  upstream::EndpointPtr endpoint;  // null: none of the backends has it, or that has no room
};

/// The endpoint with this address, and the backend that it is of, for what belongs there already:
/// neither weight nor health is asked.
KnownEndpoint choose_known(WorkerParts& worker, std::span<const snapshot::StreamBackend> backends,
                           const base::TcpEndpoint& address);

}  // namespace penstock::session
