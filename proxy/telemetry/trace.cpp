#include "proxy/telemetry/trace.h"

#include <algorithm>
#include <bit>
#include <random>

#include "proxy/base/text.h"

namespace penstock::telemetry {
namespace {

constexpr std::uint64_t kHalf = std::uint64_t{1} << 63;
constexpr std::uint64_t kMillion = 1'000'000;

/// Small letters only (2.2 of the level). Nothing where one is no digit.
std::optional<std::uint64_t> hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const bool is_letter = c >= 'a' && c <= 'f';
    if (!is_letter && !base::is_digit(c)) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(is_letter ? c - 'a' + 10 : c - '0');
  }
  return value;
}

bool is_key_char(char c) {
  return (c >= 'a' && c <= 'z') || base::is_digit(c) || c == '_' || c == '-' || c == '*' ||
         c == '/';
}

bool is_key_part(std::string_view part, std::size_t most, bool may_begin_with_digit) {
  if (part.empty() || part.size() > most || !std::ranges::all_of(part, is_key_char)) return false;
  const char first = part[0];
  return (first >= 'a' && first <= 'z') || (may_begin_with_digit && base::is_digit(first));
}

/// "vendor" or "tenant@system" (3.3.1.3.1 there).
bool is_key(std::string_view key) {
  const auto at = key.find('@');
  if (at == std::string_view::npos) return is_key_part(key, 256, false);
  return is_key_part(key.substr(0, at), 241, true) && is_key_part(key.substr(at + 1), 14, false);
}

bool is_value(std::string_view value) {
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::ranges::all_of(value,
                             [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

bool is_member(std::string_view member) {
  const auto equals = member.find('=');
  return equals != std::string_view::npos && is_key(member.substr(0, equals)) &&
         is_value(member.substr(equals + 1));
}

}  // namespace

void append_hex(std::string& out, std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[value >> shift & 0xf];
}

void append_traceparent(std::string& out, const TraceParent& parent) {
  out += "00-";
  append_hex(out, parent.trace);
  out += '-';
  append_hex(out, parent.span);
  out += parent.is_sampled ? "-01" : "-00";
}

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  const auto version = hex(text.substr(0, 2));
  const auto high = hex(text.substr(3, 16));
  const auto low = hex(text.substr(19, 16));
  const auto span = hex(text.substr(36, 16));
  const auto flags = hex(text.substr(53, 2));
  if (!version || !high || !low || !span || !flags || *version == 0xff) return std::nullopt;
  const bool is_longer = text.size() > kTraceparentSize;
  if (is_longer && (*version == 0 || text[kTraceparentSize] != '-')) return std::nullopt;
  if ((*high | *low) == 0 || *span == 0) return std::nullopt;
  return TraceParent{{*high, *low}, *span, (*flags & 1) != 0};
}

bool append_tracestate(std::string& out, std::string_view field) {
  if (field.size() > kMostTracestate) return false;
  auto members = static_cast<std::size_t>(std::ranges::count(out, ','));
  if (!out.empty()) ++members;
  for (auto rest = field;;) {
    const auto comma = rest.find(',');
    const auto member = base::trim(rest.substr(0, comma));
    if (!member.empty()) {
      if (!is_member(member) || ++members > kMostTracestateMembers) return false;
      if (!out.empty()) out += ',';
      out += member;
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return out.size() <= kMostTracestate;
}

TraceIds::TraceIds() {
  std::random_device device;
  for (auto& word : state_) word = std::uint64_t{device()} << 32 | device();
  state_[0] |= 1;  // all of it must not be zero
}

std::uint64_t TraceIds::next() {
  const auto result = std::rotl(state_[1] * 5, 7) * 9;
  const auto shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t TraceIds::span() {
  for (;;) {
    if (const auto id = next(); id != 0) return id;
  }
}

bool is_sampled(const snapshot::TraceSettings& settings, const std::optional<TraceParent>& parent,
                TraceId trace) {
  if (settings.follows_parent && parent) return parent->is_sampled;
  switch (settings.sampler) {
    case snapshot::Sampler::kAlwaysOn:
      return true;
    case snapshot::Sampler::kAlwaysOff:
      return false;
    case snapshot::Sampler::kTraceIdRatio:
      break;
  }
  // By the low half of the id, as other implementations do: services with the same ratio keep the
  // same traces.
  return settings.ratio_per_million >= kMillion ||
         trace.low >> 1 < settings.ratio_per_million * (kHalf / kMillion);
}

void RequestTrace::begin_try(std::size_t number, std::uint64_t span, base::SteadyTime now) {
  const auto index = std::min(number, kMostTries - 1);
  try_count = index + 1;
  tries[index] = {span, now, now};
}

TraceParent RequestTrace::upstream() const {
  auto out = server;
  if (try_count != 0) out.span = tries[try_count - 1].span;
  return out;
}

void begin(RequestTrace& trace, const snapshot::TraceSettings& settings,
           const std::optional<TraceParent>& incoming, TraceIds& ids) {
  trace.try_count = 0;
  trace.parent = incoming ? incoming->span : 0;
  trace.server.trace = incoming ? incoming->trace : ids.trace();
  trace.server.span = ids.span();
  trace.server.is_sampled = is_sampled(settings, incoming, trace.server.trace);
}

}  // namespace penstock::telemetry
