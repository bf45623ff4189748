#include "controller/settings/trace_kinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "proxy/base/text.h"

namespace penstock::settings {
namespace {

constexpr double kMillion = 1'000'000;
constexpr std::size_t kLongestName = 128;

}  // namespace

base::Result<std::uint32_t> Ratio::parse(std::string_view text) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const bool is_number = code == std::errc() && stop == end && !text.empty();
  if (!is_number || !(value >= 0 && value <= 1)) return base::fail("out of range");
  return static_cast<std::uint32_t>(std::lround(value * kMillion));
}

std::string Ratio::print(std::uint32_t per_million) {
  return fmt::format("{}", static_cast<double>(per_million) / kMillion);
}

base::Result<std::uint32_t> SpanCount::parse(std::string_view text) {
  const auto value = parse_whole(text, 1, 65'536);
  if (!value) return std::unexpected(value.error());
  return static_cast<std::uint32_t>(*value);
}

base::Result<base::Duration> Milliseconds::parse(std::string_view text) {
  const auto value = parse_whole(text, 1, 600'000);
  if (!value) return std::unexpected(value.error());
  return base::Duration(*value);
}

base::Result<std::string> OperationName::parse(std::string_view text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) {
    const char small = base::to_lower(c);
    return (small >= 'a' && small <= 'z') || base::is_digit(c) || c == '-' || c == '_';
  });
  if (!is_plain || text.size() > kLongestName) return base::fail("other characters");
  return std::string(text);
}

}  // namespace penstock::settings
