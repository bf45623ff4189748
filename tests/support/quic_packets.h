#pragma once
// Datagrams as QUIC clients and servers send them, as far as those see who have no keys (RFC 8999):
// headers before bytes that mean nothing.
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::test {

inline std::string quic_long_packet(std::string_view destination, std::string_view source,
                                    std::uint32_t version = 1, std::size_t size = 1200) {
  std::string packet = "\xc3";
  for (const int shift : {24, 16, 8, 0}) packet += static_cast<char>(version >> shift & 0xff);
  for (const auto id : {destination, source}) {
    packet += static_cast<char>(id.size());
    packet += id;
  }
  packet.resize(std::max(size, packet.size()), 'p');
  return packet;
}

inline std::string quic_short_packet(std::string_view destination, std::size_t size = 40) {
  auto packet = "\x41" + std::string(destination);
  packet.resize(std::max(size, packet.size()), 'p');
  return packet;
}

}  // namespace penstock::test
