#include "proxy/net/proxy_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::net {
namespace {

constexpr std::string_view kV1 = "PROXY ";
constexpr std::string_view kV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kMaxV1 = 107;
constexpr std::size_t kV2Fixed = 16;

std::uint16_t big_endian(std::string_view bytes) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                                    static_cast<unsigned char>(bytes[1]));
}

ProxyHeader of(ProxyHeader::State state) {
  ProxyHeader header;
  header.state = state;
  return header;
}

/// Whole decimal without leading zeros, as the specification asks.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return base::parse_integer<std::uint16_t>(text);
}

ProxyHeader parse_v1(std::string_view bytes) {
  const auto end = bytes.substr(0, kMaxV1).find("\r\n");
  if (end == std::string_view::npos) {
    return of(bytes.size() >= kMaxV1 ? ProxyHeader::State::kMalformed
                                     : ProxyHeader::State::kIncomplete);
  }
  auto header = of(ProxyHeader::State::kDone);
  header.size = end + 2;
  const auto words = base::split(bytes.substr(0, end), ' ');
  if (words.size() >= 2 && words[1] == "UNKNOWN") return header;
  const bool is_v4 = words.size() == 6 && words[1] == "TCP4";
  const bool is_v6 = words.size() == 6 && words[1] == "TCP6";
  if (!is_v4 && !is_v6) return of(ProxyHeader::State::kMalformed);
  base::error_code code;
  const auto source = asio::ip::make_address(std::string(words[2]), code);
  if (code || source.is_v4() != is_v4) return of(ProxyHeader::State::kMalformed);
  const auto destination = asio::ip::make_address(std::string(words[3]), code);
  if (code || destination.is_v4() != is_v4) return of(ProxyHeader::State::kMalformed);
  const auto source_port = parse_port(words[4]);
  const auto destination_port = parse_port(words[5]);
  if (!source_port || !destination_port) return of(ProxyHeader::State::kMalformed);
  header.addresses = {{source, *source_port}, {destination, *destination_port}};
  return header;
}

template <class AddressType>
ProxyAddresses read_v2(std::string_view body) {
  typename AddressType::bytes_type from{};
  typename AddressType::bytes_type to{};
  std::memcpy(from.data(), body.data(), from.size());
  std::memcpy(to.data(), body.data() + from.size(), to.size());
  const auto ports = body.substr(2 * from.size());
  return {{AddressType(from), big_endian(ports)}, {AddressType(to), big_endian(ports.substr(2))}};
}

ProxyHeader parse_v2(std::string_view bytes) {
  if (bytes.size() < kV2Fixed) return of(ProxyHeader::State::kIncomplete);
  const auto version_and_command = static_cast<unsigned char>(bytes[12]);
  const auto family = static_cast<unsigned char>(bytes[13]);
  const std::size_t length = big_endian(bytes.substr(14));
  const auto command = version_and_command & 0x0f;
  if (version_and_command >> 4 != 2 || command > 1) return of(ProxyHeader::State::kMalformed);
  if (kV2Fixed + length > kMaxProxyHeader) return of(ProxyHeader::State::kMalformed);
  if (bytes.size() < kV2Fixed + length) return of(ProxyHeader::State::kIncomplete);
  auto header = of(ProxyHeader::State::kDone);
  header.size = kV2Fixed + length;
  const auto body = bytes.substr(kV2Fixed, length);
  if (command == 0) return header;  // LOCAL
  if (family == 0x11) {
    if (length < 12) return of(ProxyHeader::State::kMalformed);
    header.addresses = read_v2<asio::ip::address_v4>(body);
  } else if (family == 0x21) {
    if (length < 36) return of(ProxyHeader::State::kMalformed);
    header.addresses = read_v2<asio::ip::address_v6>(body);
  }
  return header;
}

bool begins_like(std::string_view bytes, std::string_view signature) {
  const auto size = std::min(bytes.size(), signature.size());
  return bytes.substr(0, size) == signature.substr(0, size);
}

bool is_v4(const ProxyAddresses& addresses) {
  return addresses.source.address().is_v4() && addresses.destination.address().is_v4();
}

asio::ip::address_v6 to_v6(const base::Address& address) {
  return address.is_v6() ? address.to_v6()
                         : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
}

void put_port(std::string& out, std::uint16_t port) {
  out.push_back(static_cast<char>(port >> 8));
  out.push_back(static_cast<char>(port & 0xff));
}

template <class Bytes>
void put_bytes(std::string& out, const Bytes& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return of(ProxyHeader::State::kIncomplete);
  if (begins_like(bytes, kV2)) {
    return bytes.size() < kV2.size() ? of(ProxyHeader::State::kIncomplete) : parse_v2(bytes);
  }
  if (begins_like(bytes, kV1)) {
    return bytes.size() < kV1.size() ? of(ProxyHeader::State::kIncomplete) : parse_v1(bytes);
  }
  return of(ProxyHeader::State::kAbsent);
}

std::string encode_proxy_v1(const ProxyAddresses& addresses) {
  const bool is_four = is_v4(addresses);
  const auto text = [&](const base::Address& address) {
    return is_four ? address.to_string() : to_v6(address).to_string();
  };
  return fmt::format("PROXY TCP{} {} {} {} {}\r\n", is_four ? 4 : 6,
                     text(addresses.source.address()), text(addresses.destination.address()),
                     addresses.source.port(), addresses.destination.port());
}

std::string encode_proxy_v2_datagram(const ProxyAddresses& addresses) {
  auto out = encode_proxy_v2(addresses);
  ++out[kV2.size() + 1];  // STREAM to DGRAM, of either family (section 2.2)
  return out;
}

std::string encode_proxy_v2(const ProxyAddresses& addresses) {
  const bool is_four = is_v4(addresses);
  std::string out(kV2);
  out.push_back('\x21');
  out.push_back(is_four ? '\x11' : '\x21');
  put_port(out, is_four ? 12 : 36);
  if (is_four) {
    put_bytes(out, addresses.source.address().to_v4().to_bytes());
    put_bytes(out, addresses.destination.address().to_v4().to_bytes());
  } else {
    put_bytes(out, to_v6(addresses.source.address()).to_bytes());
    put_bytes(out, to_v6(addresses.destination.address()).to_bytes());
  }
  put_port(out, addresses.source.port());
  put_port(out, addresses.destination.port());
  return out;
}

}  // namespace penstock::net
