#pragma once
#include <cstdint>

namespace penstock::snapshot {

/// Of one TCP port, for all workers together. 0 = no limit.
struct ConnectionLimits {
  std::uint32_t connections = 0;
  std::uint32_t connections_per_address = 0;
  std::uint32_t new_per_second = 0;
  std::uint32_t new_per_second_per_address = 0;

  template <class Archive>
  void describe(Archive& archive) {
    archive("connections", connections)("connections_per_address", connections_per_address)(
        "new_per_second", new_per_second)("new_per_second_per_address", new_per_second_per_address);
  }
  bool operator==(const ConnectionLimits&) const = default;
};

}  // namespace penstock::snapshot
