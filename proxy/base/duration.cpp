#include "proxy/base/duration.h"

#include <fmt/format.h>

#include <limits>

#include "proxy/base/text.h"

namespace penstock::base {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
// Longer names first, so that "ms" is not read as "m".
constexpr Unit kNginxUnits[] = {{"ms", 1},        {"s", 1'000},      {"m", 60'000},
                                {"h", 3'600'000}, {"d", 86'400'000}, {"w", 604'800'000}};
constexpr Unit kGoUnits[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
constexpr std::int64_t kLongest = std::int64_t{366} * 86'400'000;

template <std::size_t N>
Result<Duration> parse_units(std::string_view text, const Unit (&units)[N], bool bare_seconds,
                             std::string_view expected) {
  const auto bad = [&] { return fail(fmt::format("expected {}, got '{}'", expected, text)); };
  auto rest = bare_seconds ? trim(text) : text;
  if (rest.empty()) return bad();
  std::int64_t total = 0;
  while (!rest.empty()) {
    std::size_t digits = 0;
    while (digits < rest.size() && is_digit(rest[digits])) ++digits;
    if (digits == 0 || digits > 12) return bad();
    auto number = *parse_integer<std::int64_t>(rest.substr(0, digits));
    rest.remove_prefix(digits);
    const Unit* found = nullptr;
    for (const auto& unit : units) {
      if (rest.starts_with(unit.name)) {
        found = &unit;
        break;
      }
    }
    if (found == nullptr && !(bare_seconds && rest.empty())) return bad();
    if (found != nullptr) rest.remove_prefix(found->name.size());
    const auto scale = found != nullptr ? found->milliseconds : 1'000;
    if (number > kLongest / scale) return bad();
    total += number * scale;
    if (total > kLongest) return bad();
    if (bare_seconds) {
      while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    }
  }
  return Duration(total);
}

}  // namespace

Result<Duration> parse_nginx_time(std::string_view text) {
  return parse_units(text, kNginxUnits, true, "a time such as 30, 30s, 500ms or 1m 30s");
}

Result<Duration> parse_go_duration(std::string_view text) {
  return parse_units(text, kGoUnits, false, "a duration such as 30s, 500ms or 1m30s");
}

Result<ByteSize> parse_byte_size(std::string_view text) {
  const auto bad = [&] {
    return fail(fmt::format("expected a size such as 8k, 1m or 1024, got '{}'", text));
  };
  auto digits = trim(text);
  if (digits.empty()) return bad();
  std::uint64_t scale = 1;
  switch (to_lower(digits.back())) {
    case 'b':
      digits.remove_suffix(1);
      break;
    case 'k':
      scale = 1ULL << 10;
      digits.remove_suffix(1);
      break;
    case 'm':
      scale = 1ULL << 20;
      digits.remove_suffix(1);
      break;
    case 'g':
      scale = 1ULL << 30;
      digits.remove_suffix(1);
      break;
    default:
      break;
  }
  const auto number = parse_integer<std::uint64_t>(digits);
  if (!number || *number > (std::numeric_limits<std::uint64_t>::max() >> 1) / scale) return bad();
  return ByteSize{*number * scale};
}

std::string format_duration(Duration duration) {
  const auto count = duration.count();
  if (count % 1000 != 0) return fmt::format("{}ms", count);
  return fmt::format("{}s", count / 1000);
}

std::string format_byte_size(ByteSize size) {
  if (size.bytes == 0) return "0";
  if (size.bytes % (1ULL << 30) == 0) return fmt::format("{}g", size.bytes >> 30);
  if (size.bytes % (1ULL << 20) == 0) return fmt::format("{}m", size.bytes >> 20);
  if (size.bytes % (1ULL << 10) == 0) return fmt::format("{}k", size.bytes >> 10);
  return fmt::format("{}", size.bytes);
}

}  // namespace penstock::base
