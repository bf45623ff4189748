#pragma once
#include <compare>
#include <cstdint>
#include <string>

namespace penstock::world {

/// What one SRV record points to (RFC 2782).
struct SrvTarget {
  std::uint16_t priority = 0;  // the lowest goes first
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string name;  // lower case, without a final dot

  auto operator<=>(const SrvTarget&) const = default;
};

}  // namespace penstock::world
