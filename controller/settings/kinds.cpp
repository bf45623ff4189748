#include "controller/settings/kinds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/settings/setting.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::settings {
namespace {

constexpr std::int64_t kMaxSeconds = 31'536'000;
constexpr std::uint64_t kMaxBuffer = 16U << 20;
constexpr std::uint64_t kMinBuffer = 512;
constexpr std::size_t kMaxLine = 8 << 10;

constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "TRUE", "true", "True"};
constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "FALSE", "false", "False"};

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || base::is_digit(c) || c == '-' ||
         c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
}

template <class Integer>
base::Result<Integer> parse_whole_as(std::string_view text, std::int64_t low, std::int64_t high) {
  const auto value = parse_whole(text, low, high);
  if (!value) return std::unexpected(value.error());
  return static_cast<Integer>(*value);
}

base::Result<base::Duration> whole_seconds(std::string_view text, std::int64_t low) {
  const auto value = parse_whole(text, low, kMaxSeconds);
  if (!value) return std::unexpected(value.error());
  return base::Duration(*value * 1000);
}

constexpr std::array<std::uint16_t, 7> kRetryStatus = {403, 404, 429, 500, 502, 503, 504};

}  // namespace

std::string bad_value(std::string_view name, std::string_view expected, std::string_view got) {
  constexpr std::size_t kShown = 80;
  const bool is_long = got.size() > kShown;
  return fmt::format("{}: expected {}, got '{}{}'", name, expected,
                     base::escape_controls(got.substr(0, kShown)), is_long ? "..." : "");
}

base::Result<bool> Boolean::parse(std::string_view text) {
  if (std::ranges::find(kTrue, text) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, text) != kFalse.end()) return false;
  return base::fail("not a boolean");
}

base::Result<bool> NotBoolean::parse(std::string_view text) {
  auto value = Boolean::parse(text);
  if (value) value = !*value;
  return value;
}

base::Result<bool> OnOff::parse(std::string_view text) {
  if (text == "on") return true;
  if (text == "off") return false;
  return base::fail("neither on nor off");
}

base::Result<std::int64_t> parse_whole(std::string_view text, std::int64_t low, std::int64_t high) {
  const auto value = base::parse_integer<std::int64_t>(text);
  if (!value || *value < low || *value > high) return base::fail("out of range");
  return *value;
}

base::Result<base::Duration> Seconds::parse(std::string_view text) {
  return whole_seconds(text, 0);
}

std::string Seconds::print(base::Duration value) { return std::to_string(value.count() / 1000); }

base::Result<base::Duration> PositiveSeconds::parse(std::string_view text) {
  return whole_seconds(text, 1);
}

base::Result<base::Duration> Time::parse(std::string_view text) {
  auto value = base::parse_nginx_time(text);
  if (value && value->count() > kMaxSeconds * 1000) return base::fail("too long");
  return value;
}

std::string Time::print(base::Duration value) { return base::format_duration(value); }

base::Result<base::ByteSize> Size::parse(std::string_view text) {
  return base::parse_byte_size(text);
}

std::string Size::print(base::ByteSize value) { return base::format_byte_size(value); }

base::Result<base::ByteSize> BufferSize::parse(std::string_view text) {
  auto value = base::parse_byte_size(text);
  if (value && (value->bytes < kMinBuffer || value->bytes > kMaxBuffer)) {
    return base::fail("out of range");
  }
  return value;
}

base::Result<std::uint32_t> Count::parse(std::string_view text) {
  return parse_whole_as<std::uint32_t>(text, 0, 1'000'000);
}

base::Result<std::uint64_t> HeaderSeconds::parse(std::string_view text) {
  return parse_whole_as<std::uint64_t>(text, 0, 3'153'600'000);
}

base::Result<std::uint32_t> WorkerCount::parse(std::string_view text) {
  if (text == "auto") return 0U;
  return parse_whole_as<std::uint32_t>(text, 1, 256);
}

std::string WorkerCount::print(std::uint32_t value) {
  return value == 0 ? "auto" : std::to_string(value);
}

base::Result<std::uint16_t> RedirectCode::parse(std::string_view text) {
  for (const std::uint16_t code : {301, 302, 307, 308}) {
    if (text == std::to_string(code)) return code;
  }
  return base::fail("not a redirect");
}

base::Result<std::vector<base::IpNet>> OptionalNetworks::parse(std::string_view text) {
  std::vector<base::IpNet> nets;
  for (const auto item : base::split_list(text)) {
    auto net = base::IpNet::parse(item);
    if (!net) return std::unexpected(std::move(net.error()));
    nets.push_back(*net);
  }
  std::sort(nets.begin(), nets.end());
  nets.erase(std::unique(nets.begin(), nets.end()), nets.end());
  return nets;
}

base::Result<std::vector<base::IpNet>> Networks::parse(std::string_view text) {
  auto nets = OptionalNetworks::parse(text);
  if (nets && nets->empty()) return base::fail("empty");
  return nets;
}

std::string Networks::print(const std::vector<base::IpNet>& value) {
  std::string out;
  for (const auto& net : value) out += (out.empty() ? "" : ",") + net.to_string();
  return out;
}

base::Result<std::vector<std::string>> TextList::parse(std::string_view text) {
  std::vector<std::string> out;
  for (const auto item : base::split_list(text)) out.emplace_back(item);
  return out;
}

std::string TextList::print(const std::vector<std::string>& value) {
  return fmt::format("{}", fmt::join(value, ","));
}

base::Result<std::string> Line::parse(std::string_view text) {
  const bool is_clean = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!is_clean || text.size() > kMaxLine) return base::fail("not one line");
  return std::string(text);
}

base::Result<std::string> HostName::parse(std::string_view text) {
  if (text.empty() || text.size() > 255 || !std::ranges::all_of(text, is_host_char)) {
    return base::fail("not a host name");
  }
  return std::string(text);
}

base::Result<std::string> Server::parse(std::string_view text) {
  const bool is_name = text.empty() || (!text.contains(':') && HostName::parse(text));
  if (!is_name && !base::parse_address(text)) return base::fail("not a server");
  return std::string(text);
}

base::Result<std::uint16_t> PortNumber::parse(std::string_view text) {
  return parse_whole_as<std::uint16_t>(text, 1, 65'535);
}

base::Result<HeaderBuffers::Value> HeaderBuffers::parse(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return base::fail("no space");
  const auto number = parse_whole(base::trim(text.substr(0, space)), 1, 64);
  const auto size = BufferSize::parse(base::trim(text.substr(space)));
  if (!number || !size) return base::fail("out of range");
  return Value{static_cast<std::uint32_t>(*number), *size};
}

base::Result<void> parse_next_upstream(std::string_view text, snapshot::NextUpstream& policy) {
  snapshot::NextUpstream next = policy;
  next.on_error = next.on_timeout = next.on_invalid_header = false;
  next.may_retry_non_idempotent = false;
  next.on_status.clear();
  std::size_t words = 0;
  bool is_off = false;
  for (const auto word : base::split(text, ' ')) {
    if (word.empty()) continue;
    ++words;
    if (word == "off") {
      is_off = true;
    } else if (word == "error") {
      next.on_error = true;
    } else if (word == "timeout") {
      next.on_timeout = true;
    } else if (word == "invalid_header") {
      next.on_invalid_header = true;
    } else if (word == "non_idempotent") {
      next.may_retry_non_idempotent = true;
    } else {
      const auto code = word.starts_with("http_")
                            ? base::parse_integer<std::uint16_t>(word.substr(5))
                            : std::nullopt;
      if (!code || std::ranges::find(kRetryStatus, *code) == kRetryStatus.end()) {
        return base::fail("unknown word");
      }
      next.on_status.push_back(*code);
    }
  }
  if (words == 0 || (is_off && words > 1)) return base::fail("off stands alone");
  std::ranges::sort(next.on_status);
  next.on_status.erase(std::unique(next.on_status.begin(), next.on_status.end()),
                       next.on_status.end());
  policy = std::move(next);
  return {};
}

std::string print_next_upstream(const snapshot::NextUpstream& policy) {
  std::vector<std::string> words;
  if (policy.on_error) words.emplace_back("error");
  if (policy.on_timeout) words.emplace_back("timeout");
  if (policy.on_invalid_header) words.emplace_back("invalid_header");
  for (const auto code : policy.on_status) words.push_back(fmt::format("http_{}", code));
  if (policy.may_retry_non_idempotent) words.emplace_back("non_idempotent");
  return words.empty() ? "off" : fmt::format("{}", fmt::join(words, " "));
}

}  // namespace penstock::settings
