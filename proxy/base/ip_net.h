#pragma once
// IP networks: parse, print, match. An IPv4 address inside IPv6 (::ffff:a.b.c.d) counts as the
// IPv4 address everywhere.
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/result.h"

namespace penstock::base {

/// ::ffff:1.2.3.4 becomes 1.2.3.4; anything else stays.
Address unmapped(const Address& address);
Result<Address> parse_address(std::string_view text);
/// "1.2.3.4:80", "[::1]:80".
std::string format_endpoint(const Address& address, std::uint16_t port);
void append_endpoint(std::string& out, const Address& address, std::uint16_t port);

/// An address with the number of leading bits that count; the others are zero.
class IpNet {
 public:
  IpNet() = default;
  IpNet(const Address& address, unsigned prefix_length);

  /// "10.0.0.0/8", "2001:db8::/32", or one address.
  static Result<IpNet> parse(std::string_view text);

  bool contains(const Address& address) const;
  std::string to_string() const;
  const Address& address() const { return address_; }
  unsigned prefix_length() const { return prefix_length_; }

  bool operator==(const IpNet&) const = default;
  bool operator<(const IpNet& other) const;

 private:
  Address address_;
  unsigned prefix_length_ = 0;
};

bool contains(const std::vector<IpNet>& nets, const Address& address);

/// Immutable set of networks; the lookup costs O(number of networks), which are few.
class IpNetSet {
 public:
  IpNetSet() = default;
  explicit IpNetSet(std::vector<IpNet> nets) : nets_(std::move(nets)) {}
  bool contains(const Address& address) const;
  bool empty() const { return nets_.empty(); }

 private:
  std::vector<IpNet> nets_;
};

}  // namespace penstock::base
