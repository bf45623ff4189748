#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

/// How bad a failure of a session must be for an error line.
enum class ErrorLevel : std::uint8_t { kProcess, kInfo, kWarn, kError, kOff };
template <>
struct EnumNames<ErrorLevel> {
  static constexpr std::array<std::string_view, 5> names = {"process", "info", "warn", "error",
                                                            "off"};
};

/// The access log of one TCP or UDP port, and its error lines.
struct StreamLog {
  bool is_enabled = true;
  bool is_json = false;  // every variable as a JSON object, instead of log-format-stream
  std::uint32_t per_million = 1'000'000;  // sessions of a million that are logged, drawn at random
  ErrorLevel errors = ErrorLevel::kProcess;

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_enabled", is_enabled)("is_json", is_json)("per_million", per_million)("errors",
                                                                                      errors);
  }
  bool operator==(const StreamLog&) const = default;
};

}  // namespace penstock::snapshot
