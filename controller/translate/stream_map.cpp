#include "controller/translate/stream_map.h"

#include <fmt/format.h>

#include "controller/objects/json.h"
#include "controller/settings/setting.h"
#include "proxy/base/text.h"

namespace penstock::translate {
namespace {

constexpr std::string_view kExpected =
    "namespace/service:port, followed by nothing, :PROXY (from clients), ::PROXY (to endpoints) or "
    ":PROXY:PROXY (both)";

bool read_proxy_field(std::string_view text, bool& out) {
  out = base::equals_ignoring_case(text, "PROXY");
  return out || text.empty();
}

bool is_port_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
  });
}

std::optional<StreamEntry> read_entry(const std::string& key, std::string_view value) {
  StreamEntry entry;
  entry.key = key;
  const auto fields = base::split(value, ':');
  const auto slash = value.find('/');
  if (fields.size() < 2 || fields.size() > 4 || slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto names = base::split(fields[0], '/');
  if (names.size() != 2 || names[0].empty() || names[1].empty()) return std::nullopt;
  entry.name_space = names[0];
  entry.service = names[1];
  if (const auto number = base::parse_integer<std::uint16_t>(fields[1])) {
    if (*number == 0) return std::nullopt;
    entry.port.number = *number;
  } else if (is_port_name(fields[1])) {
    entry.port.name = fields[1];
  } else {
    return std::nullopt;
  }
  if (fields.size() > 2 && !read_proxy_field(fields[2], entry.decodes_proxy)) return std::nullopt;
  if (fields.size() > 3 && !read_proxy_field(fields[3], entry.encodes_proxy)) return std::nullopt;
  return entry;
}

}  // namespace

StreamMap read_stream_map(const objects::ConfigMap& map, std::vector<Diagnostic>& diagnostics) {
  StreamMap entries;
  for (const auto& [key, value] : map.data) {
    const auto report = [&](std::string message) {
      diagnostics.push_back({{objects::Kind::kConfigMap, map.meta.name_space, map.meta.name},
                             "/data/" + objects::escape_pointer(key),
                             std::move(message)});
    };
    const auto port = base::parse_integer<std::uint16_t>(base::trim(key));
    if (!port || *port == 0) {
      report(settings::bad_value(key, "a port from 1 to 65535 as the key", key));
      continue;
    }
    auto entry = read_entry(key, base::trim(value));
    if (!entry) {
      report(settings::bad_value(key, kExpected, value));
      continue;
    }
    entries.emplace(*port, std::move(*entry));
  }
  return entries;
}

}  // namespace penstock::translate
