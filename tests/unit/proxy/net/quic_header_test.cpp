#include "proxy/net/quic_header.h"

#include <gtest/gtest.h>

#include "proxy/base/text.h"
#include "tests/support/quic_packets.h"

namespace penstock::net {
namespace {

using test::quic_long_packet;
using test::quic_short_packet;

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(base::hex_value(text[i]) * 16 + base::hex_value(text[i + 1]));
  }
  return bytes;
}

/// Packets of RFC 9001 appendix A.
TEST(QuicHeader, IsReadAsTheStandardHasIt) {
  const auto initial = from_hex("c000000001088394c8f03e5157080000449e7b9aec34");
  const auto client = read_quic_long_header(initial);
  ASSERT_TRUE(client);
  EXPECT_EQ(client->version, 1U);
  EXPECT_EQ(client->destination, from_hex("8394c8f03e515708"));
  EXPECT_EQ(client->source, "");
  const auto answer = from_hex("cf000000010008f067a5502a4262b5004075c0d95a48");
  const auto server = read_quic_long_header(answer);
  ASSERT_TRUE(server);
  EXPECT_EQ(server->destination, "");
  EXPECT_EQ(server->source, from_hex("f067a5502a4262b5"));
  const auto retry = from_hex("ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f");
  ASSERT_TRUE(read_quic_long_header(retry));
  EXPECT_EQ(read_quic_long_header(retry)->source, from_hex("f067a5502a4262b5"));
  const auto chacha = from_hex("4cfe4189655e5cd55c41f69080575d7999c25a5bfb");
  EXPECT_FALSE(read_quic_long_header(chacha));
  EXPECT_EQ(quic_short_header_id(chacha), chacha.substr(1)) << "the shortest packet there is";
}

TEST(QuicHeader, MayHaveIdsOfAnyLength) {
  for (const std::size_t size : {0, 1, 20, 21, 255}) {
    const std::string destination(size, 'd');
    const std::string source(255 - size, 's');
    const auto packet = quic_long_packet(destination, source, 0xabcdef01);
    const auto header = read_quic_long_header(packet);
    ASSERT_TRUE(header) << size;
    EXPECT_EQ(header->version, 0xabcdef01U);
    EXPECT_EQ(header->destination, destination);
    EXPECT_EQ(header->source, source);
  }
}

TEST(QuicHeader, IsNotReadBeyondItsEnd) {
  const auto whole = quic_long_packet("destination", "source", 1, 0);
  EXPECT_TRUE(read_quic_long_header(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut(whole, 0, size);
    EXPECT_FALSE(read_quic_long_header(cut)) << size;
    EXPECT_EQ(quic_short_header_id(cut), "") << size;
  }
}

TEST(QuicHeader, MayBeShort) {
  const auto packet = quic_short_packet("12345678");
  EXPECT_FALSE(has_quic_long_header(packet));
  EXPECT_TRUE(quic_short_header_id(packet).starts_with("12345678"));
  EXPECT_EQ(quic_short_header_id(packet.substr(0, 20)), "") << "no packet is so short";
  auto greased = packet;
  greased[0] = '\x01';
  EXPECT_TRUE(quic_short_header_id(greased).starts_with("12345678")) << "RFC 9287";
  EXPECT_EQ(quic_short_header_id(quic_long_packet("12345678", "")), "");
  EXPECT_FALSE(has_quic_long_header(""));
}

}  // namespace
}  // namespace penstock::net
