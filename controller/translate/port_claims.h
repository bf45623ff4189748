#pragma once
// What would be said of the ports of an object that is not in the world yet, or that changes.
#include <cstdint>
#include <vector>

#include "controller/translate/stream_port.h"

namespace penstock::translate {

/// Why the object would not get this port, one diagnostic for each of its listeners that would not.
/// Claims are made as the jobs of the ports make them; the date of the object decides as there.
std::vector<Diagnostic> refused_claims(const Transport& transport, StreamInput input,
                                       std::uint16_t port, const objects::TcpService& candidate);
std::vector<Diagnostic> refused_claims(const Transport& transport, StreamInput input,
                                       std::uint16_t port, const objects::UdpService& candidate);

}  // namespace penstock::translate
