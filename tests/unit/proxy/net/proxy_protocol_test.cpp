#include "proxy/net/proxy_protocol.h"

#include <gtest/gtest.h>

namespace penstock::net {
namespace {

base::TcpEndpoint at(const char* address, std::uint16_t port) {
  return {asio::ip::make_address(address), port};
}

const ProxyAddresses kFour{at("192.0.2.1", 40000), at("198.51.100.2", 443)};
const ProxyAddresses kSix{at("2001:db8::1", 40000), at("2001:db8::2", 443)};

void expect_round_trip(const std::string& header, const ProxyAddresses& addresses) {
  // Every split: incomplete until the last byte, never more than the header.
  for (std::size_t size = 0; size < header.size(); ++size) {
    EXPECT_EQ(parse_proxy_header(std::string_view(header).substr(0, size)).state,
              ProxyHeader::State::kIncomplete)
        << size;
  }
  const auto parsed = parse_proxy_header(header + "GET / HTTP/1.1\r\n");
  ASSERT_EQ(parsed.state, ProxyHeader::State::kDone);
  EXPECT_EQ(parsed.size, header.size());
  ASSERT_TRUE(parsed.addresses.has_value());
  EXPECT_EQ(parsed.addresses->source, addresses.source);
  EXPECT_EQ(parsed.addresses->destination, addresses.destination);
}

TEST(ProxyProtocol, ReadsWhatItWrites) {
  expect_round_trip(encode_proxy_v1(kFour), kFour);
  expect_round_trip(encode_proxy_v1(kSix), kSix);
  expect_round_trip(encode_proxy_v2(kFour), kFour);
  expect_round_trip(encode_proxy_v2(kSix), kSix);
}

TEST(ProxyProtocol, WritesVersionOneAsSpecified) {
  EXPECT_EQ(encode_proxy_v1(kFour), "PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n");
  const ProxyAddresses mixed{at("192.0.2.1", 1), at("2001:db8::2", 2)};
  EXPECT_EQ(encode_proxy_v1(mixed), "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
}

TEST(ProxyProtocol, LetsThePeerSpeakForItselfWhereNobodyIsNamed) {
  const auto unknown = parse_proxy_header("PROXY UNKNOWN anything at all\r\n");
  EXPECT_EQ(unknown.state, ProxyHeader::State::kDone);
  EXPECT_FALSE(unknown.addresses.has_value());
  auto local = encode_proxy_v2(kFour);
  local[12] = '\x20';
  const auto parsed = parse_proxy_header(local);
  EXPECT_EQ(parsed.state, ProxyHeader::State::kDone);
  EXPECT_EQ(parsed.size, local.size());
  EXPECT_FALSE(parsed.addresses.has_value());
}

TEST(ProxyProtocol, SkipsWhatFollowsTheAddresses) {
  auto header = encode_proxy_v2(kFour);
  header[15] = static_cast<char>(12 + 5);
  EXPECT_EQ(parse_proxy_header(header).state, ProxyHeader::State::kIncomplete);
  header += "\x04\x00\x02hi";
  header.insert(header.end() - 2, '\0');
  header.resize(16 + 17);
  const auto parsed = parse_proxy_header(header);
  EXPECT_EQ(parsed.state, ProxyHeader::State::kDone);
  EXPECT_EQ(parsed.size, 33U);
}

TEST(ProxyProtocol, KnowsWhatIsNoHeader) {
  for (const auto* text : {"GET / HTTP/1.1\r\n", "\x16\x03\x01", "PROXX", "\r\nGET", "X"}) {
    EXPECT_EQ(parse_proxy_header(text).state, ProxyHeader::State::kAbsent) << text;
  }
}

TEST(ProxyProtocol, RefusesWhatIsMalformed) {
  for (const auto* text :
       {"PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n", "PROXY TCP4 a b 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", "PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", "PROXY \r\n"}) {
    EXPECT_EQ(parse_proxy_header(text).state, ProxyHeader::State::kMalformed) << text;
  }
  EXPECT_EQ(parse_proxy_header("PROXY " + std::string(200, 'x')).state,
            ProxyHeader::State::kMalformed);
  for (const auto& [place, byte] : {std::pair{12, '\x11'}, std::pair{12, '\x22'},
                                    std::pair{15, '\x0b'}, std::pair{14, '\xff'}}) {
    auto header = encode_proxy_v2(kFour);
    header[static_cast<std::size_t>(place)] = byte;
    EXPECT_EQ(parse_proxy_header(header).state, ProxyHeader::State::kMalformed) << place;
  }
}

}  // namespace
}  // namespace penstock::net
