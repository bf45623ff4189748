#include "proxy/net/quic_header.h"

#include <cstddef>

namespace penstock::net {
namespace {

constexpr std::size_t kFirstByteAndVersion = 5;
constexpr std::size_t kFirstByte = 1;
/// Behind the id there are four bytes of packet number and data and sixteen that header protection
/// takes a sample of (RFC 9001 section 5.4.2).
constexpr std::size_t kLeastShortPacket = 21;

/// One byte of length, then the id.
std::optional<std::string_view> take_id(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  const std::size_t size = static_cast<unsigned char>(rest.front());
  rest.remove_prefix(1);
  if (rest.size() < size) return std::nullopt;
  const auto id = rest.substr(0, size);
  rest.remove_prefix(size);
  return id;
}

}  // namespace

std::optional<QuicLongHeader> read_quic_long_header(std::string_view datagram) {
  if (!has_quic_long_header(datagram) || datagram.size() < kFirstByteAndVersion) {
    return std::nullopt;
  }
  QuicLongHeader header;
  for (std::size_t i = kFirstByte; i < kFirstByteAndVersion; ++i) {
    header.version = header.version << 8U | static_cast<unsigned char>(datagram[i]);
  }
  auto rest = datagram.substr(kFirstByteAndVersion);
  const auto destination = take_id(rest);
  const auto source = destination ? take_id(rest) : std::nullopt;
  if (!source) return std::nullopt;
  header.destination = *destination;
  header.source = *source;
  return header;
}

std::string_view quic_short_header_id(std::string_view datagram) {
  if (datagram.size() < kLeastShortPacket || has_quic_long_header(datagram)) return {};
  return datagram.substr(kFirstByte);
}

}  // namespace penstock::net
