#include "controller/objects/port_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "controller/objects/parse.h"
#include "controller/objects/stream_fields.h"
#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

constexpr std::uint16_t kFirstUnprivileged = 1024;
constexpr std::size_t kMostPolicyPorts = 64;
constexpr std::size_t kMostLabels = 32;
constexpr std::size_t kMostValues = 64;
constexpr std::array kPolicyProtocols = {
    Named<std::optional<Protocol>>{"TCP", Protocol::kTcp},
    Named<std::optional<Protocol>>{"UDP", Protocol::kUdp},
};

PolicyPorts parse_ports(const Json& json) {
  json.allow_only({"start", "end", "protocol"});
  PolicyPorts ports;
  ports.range.first = static_cast<std::uint16_t>(json.integer("start", 1, kMaxPort, 0));
  ports.range.last = static_cast<std::uint16_t>(json.integer("end", 1, kMaxPort, 0));
  if (ports.range.first == 0 || ports.range.last == 0) json.fail("expected a start and an end");
  if (ports.range.last < ports.range.first) json.fail("expected an end that is not before start");
  ports.protocol = choose(json, "protocol", kPolicyProtocols, std::optional<Protocol>());
  return ports;
}

/// What the API server takes for keys and values of labels; anything else could end the requirement
/// that it stands in.
bool is_selector_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto lower = base::to_lower(c);
    return base::is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '.' || c == '_' ||
           c == '-' || c == '/';
  });
}

std::string label_text(const Json& json, const std::string& text) {
  if (!is_selector_text(text)) json.fail("expected a key or value of a label, got '" + text + "'");
  return text;
}

/// One entry of matchExpressions, as kubectl writes it.
std::string requirement_of(const Json& json) {
  json.allow_only({"key", "operator", "values"});
  const auto key = label_text(json, json.text("key"));
  if (key.empty()) json.fail("key: expected one, got none");
  json.limit_items("values", 0, kMostValues);
  const auto operation = json.text("operator");
  const bool has_list = operation == "In" || operation == "NotIn";
  if (has_list == json.texts("values").empty()) {
    json.fail("values: expected with In and NotIn, at least one, and with them only");
  }
  if (operation == "Exists") return key;
  if (operation == "DoesNotExist") return "!" + key;
  if (operation != "In" && operation != "NotIn") {
    json.fail("operator: expected In, NotIn, Exists or DoesNotExist, got '" + operation + "'");
    return {};
  }
  std::string values;
  for (const auto& each : json.texts("values"))
    values.append(values.empty() ? "" : ",").append(label_text(json, each));
  return key + (operation == "In" ? " in (" : " notin (") + values + ")";
}

std::optional<LabelSelector> parse_selector(const Json& json) {
  if (json.is_absent()) return std::nullopt;
  json.allow_only({"matchLabels", "matchExpressions"});
  json.limit_items("matchExpressions", 0, kMostLabels);
  std::size_t labels = 0;
  json.for_each_member("matchLabels", [&](std::string_view, const Json&) { ++labels; });
  if (labels > kMostLabels) json.fail(fmt::format("matchLabels: expected at most {}", kMostLabels));
  std::string text;
  const auto add = [&](const std::string& requirement) {
    text.append(text.empty() ? "" : ",").append(requirement);
  };
  json.for_each_member("matchLabels", [&](std::string_view name, const Json& value) {
    add(label_text(value, std::string(name)) + "=" + label_text(value, value.own_text()));
  });
  json.for_each("matchExpressions", [&](const Json& item) { add(requirement_of(item)); });
  if (text.empty()) return std::nullopt;
  auto parsed = LabelSelector::parse(text);
  if (parsed) return std::move(*parsed);
  json.fail(parsed.error().message);
  return std::nullopt;
}

}  // namespace

bool StreamPortPolicy::has(Protocol protocol, std::uint16_t port) const {
  if (port < kFirstUnprivileged && !allows_privileged) return false;
  return std::ranges::any_of(ports, [&](const PolicyPorts& each) {
    return each.range.contains(port) && (!each.protocol || each.protocol == protocol);
  });
}

StreamPortPolicy parse_port_policy(const Json& json) {
  StreamPortPolicy policy;
  policy.meta = parse_meta(json);
  const auto spec = json.get("spec");
  if (spec.is_absent()) {
    json.fail("spec: expected an object, got none");
    return policy;
  }
  spec.allow_only({"ingressClassName", "ports", "namespaceSelector", "allowPrivileged",
                   "autoAllocate", "maxListenersPerNamespace"});
  spec.limit_text("ingressClassName", 0, kLongestName);
  if (spec.get("ports").is_absent()) spec.fail("ports: expected a list, got none");
  spec.limit_items("ports", 1, kMostPolicyPorts);
  policy.class_name = spec.optional_text("ingressClassName");
  spec.for_each("ports", [&](const Json& item) { policy.ports.push_back(parse_ports(item)); });
  policy.namespaces = parse_selector(spec.get("namespaceSelector"));
  policy.allows_privileged = spec.boolean("allowPrivileged", false);
  policy.gives_any_port = spec.boolean("autoAllocate", false);
  policy.most_ports = parse_count(spec, "maxListenersPerNamespace", 1, kMaxPort).value_or(0);
  return policy;
}

}  // namespace penstock::objects
