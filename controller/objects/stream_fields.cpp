#include "controller/objects/stream_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "controller/objects/names.h"
#include "controller/objects/parse.h"
#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

constexpr std::int64_t kMaxWeight = 1'000'000;
constexpr std::int64_t kMostConnections = 10'000'000;
/// Every port of a range is a socket of every worker.
constexpr int kMostPorts = 1024;
constexpr std::array kHostRecords = {
    Named<HostRecords>{"Auto", HostRecords::kAuto}, Named<HostRecords>{"A", HostRecords::kA},
    Named<HostRecords>{"AAAA", HostRecords::kAaaa}, Named<HostRecords>{"SRV", HostRecords::kSrv}};
constexpr std::size_t kMostListeners = 16;
constexpr std::size_t kMostBackends = 16;
constexpr std::size_t kMostNetworks = 256;
constexpr std::array kErrorLogLevels = {Named<ErrorLogLevel>{"Info", ErrorLogLevel::kInfo},
                                        Named<ErrorLogLevel>{"Warn", ErrorLogLevel::kWarn},
                                        Named<ErrorLogLevel>{"Error", ErrorLogLevel::kError},
                                        Named<ErrorLogLevel>{"Off", ErrorLogLevel::kOff}};
constexpr std::array kLogFormats = {Named<bool>{"Text", false}, Named<bool>{"JSON", true}};

/// "0.05" is 50000; at most six digits behind the point.
std::optional<std::uint32_t> per_million(std::string_view text) {
  constexpr std::uint32_t kMillion = 1'000'000;
  constexpr std::size_t kDigits = 6;
  const auto point = text.find('.');
  const auto whole = base::parse_integer<std::uint32_t>(text.substr(0, point));
  if (!whole || *whole > 1) return std::nullopt;
  if (point == std::string_view::npos) return *whole * kMillion;
  std::string digits(text.substr(point + 1));
  if (digits.empty() || digits.size() > kDigits) return std::nullopt;
  digits.resize(kDigits, '0');
  const auto parts = base::parse_integer<std::uint32_t>(digits);
  if (!parts || *whole * kMillion + *parts > kMillion) return std::nullopt;
  return *whole * kMillion + *parts;
}

PortRange parse_port_range(const Json& json) {
  json.allow_only({"start", "end"});
  const PortRange range{static_cast<std::uint16_t>(json.integer("start", 1, kMaxPort, 0)),
                        static_cast<std::uint16_t>(json.integer("end", 1, kMaxPort, 0))};
  if (range.first == 0 || range.last < range.first) {
    json.fail(fmt::format("expected a start and an end that is not before it, got {} and {}",
                          range.first, range.last));
  } else if (range.last - range.first >= kMostPorts) {
    json.fail(
        fmt::format("expected at most {} ports, got {}", kMostPorts, range.last - range.first + 1));
  }
  return range;
}

/// A name such as _ldap._tcp.example is one of SRV records (RFC 2782).
void parse_host(const Json& json, StreamBackend& backend) {
  json.allow_only({"name", "port", "resolve"});
  backend.host = json.text("name");
  backend.port.number = static_cast<std::uint16_t>(json.integer("port", 1, kMaxPort, 0));
  backend.records = choose(json, "resolve", kHostRecords, HostRecords::kAuto);
  if (backend.records == HostRecords::kAuto && backend.host.starts_with('_')) {
    backend.records = HostRecords::kSrv;
  }
  if (backend.records == HostRecords::kSrv && backend.port.is_given()) {
    json.get("port").fail("expected none with SRV records, which bring their ports");
  }
}

}  // namespace

std::vector<base::IpNet> parse_networks(const Json& json, std::string_view key, std::size_t most) {
  std::vector<base::IpNet> nets;
  json.limit_items(key, 0, most);
  json.for_each(key, [&](const Json& item) {
    const auto net = base::IpNet::parse(item.own_text());
    if (net) {
      nets.push_back(*net);
    } else {
      item.fail(net.error().message);
    }
  });
  std::sort(nets.begin(), nets.end());
  return nets;
}

std::optional<base::Duration> parse_duration(const Json& json, std::string_view key) {
  const auto text = json.optional_text(key);
  if (!text) return std::nullopt;
  const auto parsed = base::parse_go_duration(*text);
  if (parsed) return *parsed;
  json.get(key).fail(parsed.error().message);
  return std::nullopt;
}

std::optional<std::uint32_t> parse_count(const Json& json, std::string_view key, std::int64_t low,
                                         std::int64_t high) {
  const auto field = json.get(key);
  if (field.is_absent()) return std::nullopt;
  return static_cast<std::uint32_t>(field.own_integer(low, high));
}

void parse_stream_listener(const Json& json, StreamListener& listener) {
  listener.name = json.text("name");
  if (!is_dns_label(listener.name)) {
    json.get("name").fail(fmt::format(
        "expected a name of small letters, digits and dashes, got '{}'", listener.name));
    if (json.get("name").is_absent()) json.fail("name: expected one, got none");
  }
  const auto range = json.get("portRange");
  if (json.get("port").is_absent() == range.is_absent()) {
    json.fail("expected exactly one of port and portRange");
  } else if (range.is_absent()) {
    const auto port = static_cast<std::uint16_t>(json.integer("port", 0, kMaxPort, 0));
    listener.ports = {port, port};
    listener.takes_any_port = port == 0;
  } else {
    listener.ports = parse_port_range(range);
  }
  const auto text = json.text("address");
  if (text.empty()) return;
  const auto address = base::parse_address(text);
  if (address) {
    listener.address = address->to_string();
  } else {
    json.get("address").fail(address.error().message);
  }
}

void check_listeners(const Json& spec, const std::vector<const StreamListener*>& listeners) {
  spec.limit_items("listeners", 1, kMostListeners);
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto& one = *listeners[i];
      const auto& other = *listeners[j];
      if (one.name == other.name) {
        spec.fail(fmt::format("listeners: two listeners have the name '{}'", one.name));
      }
      if (one.takes_any_port || other.takes_any_port) continue;
      const auto shared = std::max(one.ports.first, other.ports.first);
      if (one.address == other.address && one.ports.contains(shared) &&
          other.ports.contains(shared)) {
        spec.fail(fmt::format("listeners: two listeners use the same port {}", shared));
      }
    }
  }
}

StreamBackend parse_stream_backend(const Json& json) {
  StreamBackend backend;
  const auto service = json.get("service");
  const auto host = json.get("host");
  if (service.is_absent() == host.is_absent()) {
    json.fail("expected exactly one of service and host");
    return backend;
  }
  const auto& target = host.is_absent() ? service : host;
  target.limit_text("name", 1, kLongestName);
  if (host.is_absent()) {
    service.allow_only({"name", "namespace", "port"});
    service.limit_text("namespace", 0, kLongestLabel);
    if (service.get("port").is_text()) service.limit_text("port", 1, kLongestLabel);
    backend.service = service.text("name");
    backend.name_space = service.text("namespace");
    backend.port = parse_port(service, "port");
  } else {
    parse_host(host, backend);
  }
  if (backend.service.empty() && backend.host.empty()) target.fail("expected a name, got none");
  const bool brings_port = backend.records == HostRecords::kSrv;
  if (!brings_port && !backend.port.is_given()) target.fail("expected a port, got none");
  backend.weight = static_cast<std::uint32_t>(json.integer("weight", 0, kMaxWeight, 1));
  backend.is_backup = json.boolean("backup", false);
  backend.max_connections = parse_count(json, "maxConnections", 0, kMostConnections).value_or(0);
  return backend;
}

void check_backends(const Json& json, const std::vector<StreamBackend>& backends) {
  json.limit_items("backends", 1, kMostBackends);
  const bool has_weight =
      std::ranges::any_of(backends, [](const StreamBackend& each) { return each.weight > 0; });
  if (!has_weight) json.fail("backends: expected one with a weight above 0, got none");
  if (std::ranges::all_of(backends, &StreamBackend::is_backup)) {
    json.fail("backends: expected one that is no backup, got none");
  }
}

StreamAccess parse_stream_access(const Json& spec) {
  const auto part = spec.get("access");
  if (part.is_absent()) return {};
  part.allow_only({"allow", "deny"});
  return {parse_networks(part, "allow", kMostNetworks),
          parse_networks(part, "deny", kMostNetworks)};
}

StreamLogSettings parse_logs(const Json& spec) {
  StreamLogSettings log;
  if (const auto errors = spec.get("errorLog"); !errors.is_absent()) {
    errors.allow_only({"level"});
    log.errors = choose(errors, "level", kErrorLogLevels, ErrorLogLevel::kProcess);
  }
  const auto part = spec.get("accessLog");
  if (part.is_absent()) return log;
  part.allow_only({"enabled", "format", "sampleRatio"});
  log.is_enabled = part.boolean("enabled", true);
  log.is_json = choose(part, "format", kLogFormats, false);
  if (const auto text = part.optional_text("sampleRatio")) {
    if (const auto ratio = per_million(*text)) {
      log.per_million = *ratio;
    } else {
      part.get("sampleRatio")
          .fail(fmt::format("expected a ratio from 0 to 1 such as 0.05, got '{}'", *text));
    }
  }
  return log;
}

}  // namespace penstock::objects
