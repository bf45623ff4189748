#pragma once
// What a datagram of QUIC shows to somebody who has no keys: the invariants of all its versions
// (RFC 8999). The bytes are those of the network; nothing is read beyond their end, and what is
// given points into them.
#include <cstdint>
#include <optional>
#include <string_view>

namespace penstock::net {

/// A packet of the handshake, in which both ids are there with their lengths.
struct QuicLongHeader {
  std::uint32_t version = 0;     // 0: Version Negotiation, which only servers send
  std::string_view destination;  // id of whom it is for; up to 255 bytes, may be empty
  std::string_view source;       // id by which the sender wants to be addressed; the same
};

/// Of the first packet in a datagram. Others that follow it are for the same id.
constexpr bool has_quic_long_header(std::string_view datagram) {
  return !datagram.empty() && (static_cast<unsigned char>(datagram.front()) & 0x80U) != 0;
}
/// Nothing where the datagram has no long header, or ends within it.
std::optional<QuicLongHeader> read_quic_long_header(std::string_view datagram);

/// What begins with the destination's id where the header is a short one: how long the id is, only
/// its owner knows. Empty where the datagram is too short for a packet of QUIC 1 or 2, or its
/// header is a long one. The fixed bit is not looked at: endpoints may clear it (RFC 9287).
std::string_view quic_short_header_id(std::string_view datagram);

}  // namespace penstock::net
