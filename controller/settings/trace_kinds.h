#pragma once
// How the values of keys about traces are written.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "controller/settings/kinds.h"
#include "proxy/snapshot/policy/trace.h"

namespace penstock::settings {

inline constexpr std::array kSamplers = {
    std::pair{std::string_view("AlwaysOn"), snapshot::Sampler::kAlwaysOn},
    std::pair{std::string_view("AlwaysOff"), snapshot::Sampler::kAlwaysOff},
    std::pair{std::string_view("TraceIdRatioBased"), snapshot::Sampler::kTraceIdRatio},
};
inline constexpr std::string_view kSamplersExpected =
    "one of AlwaysOn, AlwaysOff, TraceIdRatioBased";
using TraceSampler = Choice<snapshot::Sampler, kSamplers, kSamplersExpected>;

/// A share, kept as so many of a million.
struct Ratio {
  static constexpr std::string_view kExpected = "a number from 0 to 1 such as 0.01";
  static base::Result<std::uint32_t> parse(std::string_view text);
  static std::string print(std::uint32_t per_million);
};

/// Spans of a queue or of a message.
struct SpanCount {
  static constexpr std::string_view kExpected = "a whole number from 1 to 65536";
  static base::Result<std::uint32_t> parse(std::string_view text);
  static std::string print(std::uint32_t value) { return std::to_string(value); }
};

/// Whole milliseconds, without a unit.
struct Milliseconds {
  static constexpr std::string_view kExpected = "whole milliseconds from 1 to 600000";
  static base::Result<base::Duration> parse(std::string_view text);
  static std::string print(base::Duration value) { return std::to_string(value.count()); }
};

/// The operation-name annotation of the original.
struct OperationName {
  static constexpr std::string_view kExpected = "letters, digits, '-' and '_'";
  static base::Result<std::string> parse(std::string_view text);
  static std::string print(const std::string& value) { return value; }
};

}  // namespace penstock::settings
