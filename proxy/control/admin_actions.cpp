#include "proxy/control/admin_actions.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "proxy/base/ip_net.h"
#include "proxy/base/json_writer.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::control {
namespace {

using base::http_error;
using base::HttpReply;
using base::HttpRequest;

constexpr std::size_t kMostDrained = 1000;
constexpr std::size_t kMostRules = 16;
constexpr std::uint32_t kLongest = 3600;  // seconds
constexpr std::uint32_t kUsual = 300;
/// An endpoint that is gone for two checks may come back as another one with its address.
constexpr std::chrono::seconds kCheck{30};

const snapshot::Endpoints* endpoints_of(const snapshot::Snapshot& snapshot,
                                        const std::string& upstream) {
  return snapshot.find<snapshot::Endpoints>(snapshot::PartKind::kEndpoints, upstream);
}

std::string text_of(const snapshot::Endpoint& endpoint) {
  const auto address = base::parse_address(endpoint.address);
  return address ? base::format_endpoint(*address, endpoint.port) : endpoint.address;
}

bool contains(const snapshot::Endpoints& endpoints, std::string_view text) {
  return std::ranges::any_of(endpoints.endpoints,
                             [&](const auto& each) { return text_of(each) == text; });
}

std::optional<std::uint16_t> status_from(std::string_view level) {
  if (level == "debug") return 0;
  if (level == "warn") return 400;
  if (level == "error") return 500;
  return std::nullopt;
}

/// What a rule matches: its text, and the rule without level and time.
struct Match {
  std::string text;
  session::LogRule rule;
};

base::Result<Match> read_match(const HttpRequest& request) {
  const auto host = base::to_lower(request.parameter("host"));
  const auto client = request.parameter("client");
  const auto port = request.parameter("port");
  if ((host.empty() ? 0 : 1) + (client.empty() ? 0 : 1) + (port.empty() ? 0 : 1) != 1) {
    return base::fail("expected one of host, client and port");
  }
  Match out;
  if (!host.empty()) {
    if (host.size() > 253) return base::fail("host: longer than 253 characters");
    out.text = "host " + host;
    out.rule.host = host;
  } else if (!client.empty()) {
    const auto net = base::IpNet::parse(client);
    if (!net)
      return base::fail(fmt::format("client: expected an address or CIDR, got '{}'", client));
    out.text = fmt::format("client {}", client);
    out.rule.clients = {*net};
  } else {
    const auto number = base::parse_integer<std::uint16_t>(port);
    if (!number || *number == 0) {
      return base::fail(fmt::format("port: expected 1 to 65535, got '{}'", port));
    }
    out.text = fmt::format("port {}", *number);
    out.rule.port = *number;
  }
  return out;
}

}  // namespace

AdminActions::AdminActions(asio::io_context& io, Sources sources)
    : sources_(std::move(sources)), timer_(io) {}

bool AdminActions::has(const std::string& upstream, const std::string& endpoint) const {
  const auto* endpoints = endpoints_of(sources_.snapshot(), upstream);
  return endpoints != nullptr && contains(*endpoints, endpoint);
}

/// Upstreams that have this endpoint now, or have it drained.
std::vector<std::string> AdminActions::upstreams_with(const std::string& endpoint,
                                                      std::string_view only) const {
  std::vector<std::string> out;
  const auto& parts = sources_.snapshot().parts;
  for (auto at = parts.lower_bound({snapshot::PartKind::kEndpoints, std::string(only)});
       at != parts.end() && at->first.kind == snapshot::PartKind::kEndpoints; ++at) {
    if (!only.empty() && at->first.name != only) break;
    if (contains(std::get<snapshot::Endpoints>(*at->second), endpoint)) {
      out.push_back(at->first.name);
    }
  }
  return out;
}

bool AdminActions::is_last(const std::string& upstream, const std::string& endpoint) const {
  const auto* endpoints = endpoints_of(sources_.snapshot(), upstream);
  const auto drained = drained_.find(upstream);
  return std::ranges::none_of(endpoints->endpoints, [&](const auto& each) {
    const auto text = text_of(each);
    return text != endpoint && (drained == drained_.end() || !drained->second.contains(text));
  });
}

HttpReply AdminActions::drain(const HttpRequest& request) {
  const std::string endpoint(request.parameter("endpoint"));
  const auto upstreams = upstreams_with(endpoint, request.parameter("upstream"));
  if (upstreams.empty()) {
    return http_error(
        404, fmt::format("endpoint: expected ADDRESS:PORT of {}, got '{}'",
                         request.parameter("upstream").empty() ? "an upstream"
                                                               : request.parameter("upstream"),
                         endpoint));
  }
  const bool is_forced = request.parameter("force") == "true";
  std::size_t count = upstreams.size();
  for (const auto& [upstream, texts] : drained_) count += texts.size();
  if (count > kMostDrained) {
    return http_error(409, fmt::format("{} endpoints are drained already", kMostDrained));
  }
  for (const auto& upstream : upstreams) {
    if (is_forced || !is_last(upstream, endpoint)) continue;
    return http_error(409, fmt::format("{} is the last endpoint of {} that takes requests; "
                                       "force=true drains it all the same",
                                       endpoint, upstream));
  }
  for (const auto& upstream : upstreams) drained_[upstream].insert(endpoint);
  base::log::info("endpoint {} is drained in {} upstreams", endpoint, upstreams.size());
  push_drained();
  return {200, json(), "application/json", {}};
}

HttpReply AdminActions::undrain(const HttpRequest& request) {
  const std::string endpoint(request.parameter("endpoint"));
  const auto only = request.parameter("upstream");
  std::size_t count = 0;
  for (auto& [upstream, texts] : drained_) {
    if (only.empty() || upstream == only) count += texts.erase(endpoint);
  }
  if (count == 0) return http_error(404, fmt::format("'{}' is not drained", endpoint));
  base::log::info("endpoint {} takes requests again in {} upstreams", endpoint, count);
  push_drained();
  return {200, json(), "application/json", {}};
}

HttpReply AdminActions::set_log_level(const HttpRequest& request) {
  auto match = read_match(request);
  if (!match) return http_error(400, match.error().message);
  const auto level = request.parameter("level");
  const auto from = status_from(level);
  if (!from && level != "off") {
    return http_error(400,
                      fmt::format("level: expected debug, warn, error or off, got '{}'", level));
  }
  const auto text = request.parameter("seconds");
  const auto seconds = text.empty() ? kUsual : base::parse_integer<std::uint32_t>(text).value_or(0);
  if (seconds < 1 || seconds > kLongest) {
    return http_error(400, fmt::format("seconds: expected 1 to {}, got '{}'", kLongest, text));
  }
  std::erase_if(rules_, [&](const Rule& each) {
    return each.match == match->text || each.rule.until <= Clock::now();
  });
  if (from) {
    if (rules_.size() >= kMostRules) {
      return http_error(409, fmt::format("{} rules stand already", kMostRules));
    }
    match->rule.from_status = *from;
    match->rule.until = Clock::now() + std::chrono::seconds(seconds);
    rules_.push_back({match->text, std::string(level), std::move(match->rule)});
  }
  push_rules();
  return {200, json(), "application/json", {}};
}

std::string AdminActions::json() const {
  base::JsonWriter json;
  json.begin_object().key("drained").begin_array();
  for (const auto& [upstream, texts] : drained_) {
    for (const auto& endpoint : texts) {
      json.begin_object()
          .member("upstream", upstream)
          .member("endpoint", endpoint)
          .member("is_present", has(upstream, endpoint))
          .end_object();
    }
  }
  json.end_array().key("log_rules").begin_array();
  const auto now = Clock::now();
  for (const auto& each : rules_) {
    if (each.rule.until <= now) continue;
    const auto left = std::chrono::ceil<std::chrono::seconds>(each.rule.until - now);
    json.begin_object()
        .member("match", each.match)
        .member("level", each.level)
        .member("seconds_left", left.count())
        .end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

void AdminActions::push() {
  push_drained();
  push_rules();
}

void AdminActions::push_drained() {
  std::erase_if(drained_, [](const auto& each) { return each.second.empty(); });
  if (auto* pool = sources_.pool()) pool->set_drained(drained_);
  check_soon();
}

void AdminActions::push_rules() {
  std::vector<session::LogRule> rules;
  for (const auto& each : rules_) rules.push_back(each.rule);
  if (auto* pool = sources_.pool()) pool->set_log_rules(rules);
}

void AdminActions::check_soon() {
  if (drained_.empty()) return;
  timer_.expires_after(kCheck);
  timer_.async_wait([this](base::error_code code) {
    if (!code) check();
  });
}

/// Lets go of endpoints that have left their upstream for good.
void AdminActions::check() {
  decltype(missing_) missing;
  bool is_changed = false;
  for (auto& [upstream, texts] : drained_) {
    std::erase_if(texts, [&, name = upstream](const std::string& endpoint) {
      if (has(name, endpoint)) return false;
      if (!missing_.contains({name, endpoint})) {
        missing.emplace(name, endpoint);
        return false;
      }
      base::log::info("endpoint {} of {} is gone, and no longer drained", endpoint, name);
      is_changed = true;
      return true;
    });
  }
  missing_ = std::move(missing);
  if (is_changed) return push_drained();
  check_soon();
}

}  // namespace penstock::control
