#pragma once
// The job that makes one TCP port: of the ConfigMap's entry and the TCPServices that ask for it,
// one gets it and the others are told.
#include <cstdint>

#include "controller/translate/stream_port.h"

namespace penstock::translate {

/// The ConfigMap goes before every TCPService, an older TCPService before a younger. The port is
/// open also while nothing is behind it: a client then sees a closed connection, not a closed port.
Output translate_tcp_stream(StreamInput input, std::uint16_t port);

}  // namespace penstock::translate
