#include "proxy/base/ip_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <tuple>

#include "proxy/base/text.h"

namespace penstock::base {
namespace {

template <class Bytes>
Bytes masked(Bytes bytes, unsigned prefix_length) {
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const auto first_bit = i * 8;
    if (first_bit >= prefix_length) {
      bytes[i] = 0;
    } else if (first_bit + 8 > prefix_length) {
      bytes[i] = static_cast<unsigned char>(bytes[i] & (0xff << (8 - (prefix_length - first_bit))));
    }
  }
  return bytes;
}

}  // namespace

Address unmapped(const Address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

Result<Address> parse_address(std::string_view text) {
  error_code code;
  auto address = asio::ip::make_address(std::string(text), code);
  // A zone index ("fe80::1%eth0") has no place in what users configure.
  if (code || text.contains('%'))
    return fail(fmt::format("expected an IP address, got '{}'", text));
  return address;
}

void append_endpoint(std::string& out, const Address& address, std::uint16_t port) {
  std::array<char, 5> digits;
  const auto append_number = [&](unsigned number) {
    out.append(digits.data(), std::to_chars(digits.data(), digits.end(), number).ptr);
  };
  if (address.is_v4()) {
    // Written for each line of a log: without a string in between.
    const auto bytes = address.to_v4().to_bytes();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (i > 0) out += '.';
      append_number(bytes[i]);
    }
  } else {
    out.append("[").append(address.to_string()).append("]");
  }
  out += ':';
  append_number(port);
}

std::string format_endpoint(const Address& address, std::uint16_t port) {
  std::string out;
  append_endpoint(out, address, port);
  return out;
}

IpNet::IpNet(const Address& address, unsigned prefix_length) {
  auto plain = unmapped(address);
  if (plain.is_v4() && address.is_v6()) prefix_length = prefix_length > 96 ? prefix_length - 96 : 0;
  if (plain.is_v4()) {
    prefix_length_ = std::min(prefix_length, 32U);
    address_ = asio::ip::address_v4(masked(plain.to_v4().to_bytes(), prefix_length_));
  } else {
    prefix_length_ = std::min(prefix_length, 128U);
    address_ = asio::ip::address_v6(masked(plain.to_v6().to_bytes(), prefix_length_));
  }
}

Result<IpNet> IpNet::parse(std::string_view text) {
  const auto bad = [&] {
    return fail(
        fmt::format("expected an IP address or network such as 10.0.0.0/8, got '{}'", text));
  };
  const auto trimmed = trim(text);
  const auto slash = trimmed.find('/');
  const auto address = parse_address(trimmed.substr(0, slash));
  if (!address) return bad();
  const auto bits = address->is_v4() ? 32U : 128U;
  if (slash == std::string_view::npos) return IpNet(*address, bits);
  const auto length = parse_integer<unsigned>(trimmed.substr(slash + 1));
  if (!length || *length > bits) return bad();
  return IpNet(*address, *length);
}

bool IpNet::contains(const Address& address) const {
  const auto plain = unmapped(address);
  if (plain.is_v4() != address_.is_v4()) return false;
  if (plain.is_v4()) {
    if (prefix_length_ == 0) return true;
    const auto mask = ~std::uint32_t{0} << (32 - prefix_length_);
    return (plain.to_v4().to_uint() & mask) == address_.to_v4().to_uint();
  }
  return masked(plain.to_v6().to_bytes(), prefix_length_) == address_.to_v6().to_bytes();
}

std::string IpNet::to_string() const {
  return fmt::format("{}/{}", address_.to_string(), prefix_length_);
}

bool IpNet::operator<(const IpNet& other) const {
  return std::tie(address_, prefix_length_) < std::tie(other.address_, other.prefix_length_);
}

bool contains(const std::vector<IpNet>& nets, const Address& address) {
  return std::ranges::any_of(nets, [&](const IpNet& net) { return net.contains(address); });
}

bool IpNetSet::contains(const Address& address) const { return base::contains(nets_, address); }

}  // namespace penstock::base
