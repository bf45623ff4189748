#pragma once
#include <cstdint>

namespace penstock::snapshot {

/// The access log of one TCP or UDP port.
struct StreamLog {
  bool is_enabled = true;
  bool is_json = false;  // every variable as a JSON object, instead of log-format-stream
  std::uint32_t per_million = 1'000'000;  // sessions of a million that are logged, drawn at random

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_enabled", is_enabled)("is_json", is_json)("per_million", per_million);
  }
  bool operator==(const StreamLog&) const = default;
};

}  // namespace penstock::snapshot
