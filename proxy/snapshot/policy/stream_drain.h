#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

enum class EndpointRemoval : std::uint8_t { kKeep, kClose, kCloseAfter };
template <>
struct EnumNames<EndpointRemoval> {
  static constexpr std::array<std::string_view, 3> names = {"keep", "close", "close_after"};
};

/// What becomes of a TCP session when its endpoint leaves the Service, and when the port changes or
/// goes.
struct StreamDrain {
  EndpointRemoval on_endpoint_removal = EndpointRemoval::kKeep;
  base::Duration after{0};  // of close_after
  bool ends_on_change = false;

  template <class Archive>
  void describe(Archive& archive) {
    archive("on_endpoint_removal", on_endpoint_removal)("after", after)("ends_on_change",
                                                                        ends_on_change);
  }
  bool operator==(const StreamDrain&) const = default;
};

}  // namespace penstock::snapshot
