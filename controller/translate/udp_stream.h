#pragma once
// The job that makes one UDP port, by the rules of TCP ports (tcp_stream.h).
#include <cstdint>

#include "controller/translate/stream_port.h"

namespace penstock::translate {

Output translate_udp_stream(StreamInput input, std::uint16_t port);

}  // namespace penstock::translate
