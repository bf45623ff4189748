#include "controller/objects/stream_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "controller/objects/parse.h"
#include "controller/objects/stream_fields.h"
#include "proxy/base/pattern.h"
#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

using snapshot::HealthCheck;
using snapshot::ProbeType;

constexpr std::size_t kMostSent = 4096;
constexpr std::size_t kLongestPattern = 1024;
constexpr std::size_t kLongestPath = 1024;
constexpr base::Duration kShortestInterval{100};
constexpr base::Duration kLongest{3'600'000};
constexpr base::Duration kLongestTimeout{300'000};

constexpr std::array kRecoveries = {Named<bool>{"Immediate", false}, Named<bool>{"Linear", true}};
constexpr std::array kTcpTypes = {
    Named<ProbeType>{"Connect", ProbeType::kConnect},
    Named<ProbeType>{"TLS", ProbeType::kTls},
    Named<ProbeType>{"SendExpect", ProbeType::kSendExpect},
    Named<ProbeType>{"HTTP", ProbeType::kHttp},
    Named<ProbeType>{"GRPC", ProbeType::kGrpc},
};
constexpr std::array kUdpTypes = {
    Named<ProbeType>{"SendExpect", ProbeType::kSendExpect},
    Named<ProbeType>{"ICMPUnreachable", ProbeType::kIcmpUnreachable},
};

std::optional<std::string> bytes_of_hex(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (base::is_digit(c)) return c - '0';
    const char lower = base::to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

void parse_times(const Json& json, HealthCheck& check) {
  const auto read = [&](std::string_view key, base::Duration least, base::Duration most,
                        base::Duration& into) {
    const auto given = parse_duration(json, key);
    if (!given) return false;
    if (*given < least || *given > most) {
      json.get(key).fail(fmt::format("expected from {} to {}, got {}", base::format_duration(least),
                                     base::format_duration(most), base::format_duration(*given)));
    }
    into = *given;
    return true;
  };
  read("interval", kShortestInterval, kLongest, check.interval);
  const bool has_jitter = read("jitter", base::Duration(0), kLongest, check.jitter);
  if (!has_jitter) check.jitter = check.interval / 10;
  const bool has_timeout = read("timeout", base::Duration(50), kLongestTimeout, check.timeout);
  if (!has_timeout) check.timeout = std::min(check.timeout, check.interval);
}

void parse_exchange(const Json& json, HealthCheck& check) {
  json.limit_text("send", 1, kMostSent);
  json.limit_text("sendHex", 2, 2 * kMostSent);
  json.limit_text("expect", 1, kMostSent);
  json.limit_text("expectRegex", 1, kLongestPattern);
  check.send = json.text("send");
  const auto hex = json.text("sendHex");
  if (!hex.empty()) {
    const auto bytes = bytes_of_hex(hex);
    if (!bytes)
      json.get("sendHex").fail(fmt::format("expected pairs of hex digits, got '{}'", hex));
    if (!check.send.empty()) json.fail("expected one of send and sendHex");
    if (bytes) check.send = *bytes;
  }
  check.expect = json.text("expect");
  check.expect_pattern = json.text("expectRegex");
  if (!check.expect_pattern.empty()) {
    const auto pattern = base::Pattern::compile(check.expect_pattern);
    if (!pattern) json.get("expectRegex").fail(pattern.error().message);
  }
  const bool has_expected = !check.expect.empty() || !check.expect_pattern.empty();
  if (check.type == ProbeType::kSendExpect && !has_expected) {
    json.fail("expected one of expect and expectRegex with the type SendExpect, got none");
  }
  if (!check.expect.empty() && !check.expect_pattern.empty()) {
    json.fail("expected one of expect and expectRegex");
  }
}

/// "200", "200-399".
void parse_status(const Json& json, HealthCheck& check) {
  const auto text = json.text("status");
  if (text.empty()) return;
  const auto dash = text.find('-');
  const auto low = base::parse_integer<std::uint16_t>(std::string_view(text).substr(0, dash));
  const auto high =
      dash == std::string::npos
          ? low
          : base::parse_integer<std::uint16_t>(std::string_view(text).substr(dash + 1));
  if (!low || !high || *low < 100 || *high > 599 || *low > *high) {
    json.get("status").fail(fmt::format("expected a status or a range as 200-399, got '{}'", text));
    return;
  }
  check.lowest_status = *low;
  check.highest_status = *high;
}

/// It goes into a request as it is.
bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

void parse_request(const Json& json, HealthCheck& check) {
  json.limit_text("host", 0, kLongestName);
  json.limit_text("path", 1, kLongestPath);
  json.limit_text("service", 0, kLongestName);
  check.host = json.text("host");
  if (!is_printable(check.host)) json.get("host").fail("expected a name without spaces");
  const auto path = json.optional_text("path");
  if (path) check.path = *path;
  if (!check.path.starts_with('/') || !is_printable(check.path)) {
    json.get("path").fail(fmt::format("expected a path that starts with /, got '{}'", check.path));
  }
  parse_status(json, check);
  check.service = json.text("service");
}

/// A field that has no meaning for the type is a mistake of who wrote it.
void check_fields(const Json& json, ProbeType type) {
  const auto only = [](ProbeType each) { return 1U << static_cast<unsigned>(each); };
  const auto exchange = only(ProbeType::kSendExpect);
  const std::pair<std::string_view, unsigned> rows[] = {
      {"send", exchange | only(ProbeType::kIcmpUnreachable)},
      {"sendHex", exchange | only(ProbeType::kIcmpUnreachable)},
      {"expect", exchange},
      {"expectRegex", exchange},
      {"host", only(ProbeType::kHttp) | only(ProbeType::kGrpc) | only(ProbeType::kTls)},
      {"path", only(ProbeType::kHttp)},
      {"status", only(ProbeType::kHttp)},
      {"service", only(ProbeType::kGrpc)},
  };
  for (const auto& [key, types] : rows) {
    const auto field = json.get(key);
    if (!field.is_absent() && (types & only(type)) == 0) {
      field.fail("does not belong to this type of check");
    }
  }
}

void parse_active(const Json& json, std::span<const Named<ProbeType>> types, HealthCheck& check) {
  if (check.is_udp) {
    json.allow_only({"type", "port", "interval", "timeout", "jitter", "passes", "fails", "send",
                     "sendHex", "expect", "expectRegex"});
  } else {
    json.allow_only({"type", "port", "interval", "timeout", "jitter", "passes", "fails", "send",
                     "sendHex", "expect", "expectRegex", "host", "path", "status", "service"});
  }
  check.type = choose(json, "type", types, ProbeType::kNone);
  if (check.type == ProbeType::kNone) json.fail("type: expected the type of the check, got none");
  check.port = static_cast<std::uint16_t>(json.integer("port", 1, 65535, 0));
  parse_times(json, check);
  check.passes = parse_count(json, "passes", 1, 100).value_or(check.passes);
  check.fails = parse_count(json, "fails", 1, 100).value_or(check.fails);
  parse_exchange(json, check);
  parse_request(json, check);
  check_fields(json, check.type);
}

StreamHealth parse_health(const Json& spec, std::span<const Named<ProbeType>> types, bool is_udp) {
  StreamHealth health;
  const auto part = spec.get("health");
  if (part.is_absent()) return health;
  part.allow_only({"passive", "active", "panicThresholdPercent"});
  health.panic_percent = parse_count(part, "panicThresholdPercent", 0, 100).value_or(0);
  const auto passive = part.get("passive");
  if (!passive.is_absent()) passive.allow_only({"maxFails", "failTimeout", "recovery"});
  health.max_fails = parse_count(passive, "maxFails", 0, 1000).value_or(health.max_fails);
  health.fail_timeout = parse_duration(passive, "failTimeout").value_or(health.fail_timeout);
  health.recovers_slowly = choose(passive, "recovery", kRecoveries, false);
  const auto active = part.get("active");
  if (active.is_absent()) return health;
  health.active.is_udp = is_udp;
  parse_active(active, types, health.active);
  return health;
}

}  // namespace

StreamHealth parse_tcp_health(const Json& spec) { return parse_health(spec, kTcpTypes, false); }
StreamHealth parse_udp_health(const Json& spec) { return parse_health(spec, kUdpTypes, true); }

}  // namespace penstock::objects
