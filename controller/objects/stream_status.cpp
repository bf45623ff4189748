#include "controller/objects/stream_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

constexpr auto kMostGenerations = std::numeric_limits<std::int64_t>::max();

std::vector<Condition> parse_conditions(const Json& json) {
  std::vector<Condition> out;
  json.for_each("conditions", [&](const Json& item) {
    out.push_back({item.text("type"), item.text("status"), item.text("reason"),
                   item.text("message"), item.integer("observedGeneration", 0, kMostGenerations, 0),
                   item.text("lastTransitionTime")});
  });
  return out;
}

std::string conditions_json(const std::vector<Condition>& conditions) {
  std::string out;
  for (const auto& each : conditions) {
    out += fmt::format(
        R"({}{{"type":"{}","status":"{}","reason":"{}","message":"{}","observedGeneration":{},"lastTransitionTime":"{}"}})",
        out.empty() ? "" : ",", each.type, each.status, each.reason,
        base::escape_json(each.message), each.generation, base::escape_json(each.since));
  }
  return out;
}

std::string listeners_json(const std::vector<ListenerStatus>& listeners) {
  std::string out;
  for (const auto& each : listeners) {
    out += fmt::format(R"({}{{"name":"{}","protocol":"{}","ports":"{}","owner":"{}",)",
                       out.empty() ? "" : ",", base::escape_json(each.name), each.protocol,
                       each.ports, base::escape_json(each.owner));
    if (each.allocated_port != 0) out += fmt::format(R"("allocatedPort":{},)", each.allocated_port);
    out += fmt::format(R"("conditions":[{}]}})", conditions_json(each.conditions));
  }
  return out;
}

}  // namespace

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found = std::ranges::find(conditions, type, &Condition::type);
  return found == conditions.end() ? nullptr : &*found;
}

const Condition* StreamStatus::find(std::string_view type) const {
  return find_condition(conditions, type);
}

const ListenerStatus* StreamStatus::find_listener(std::string_view name) const {
  const auto found = std::ranges::find(listeners, name, &ListenerStatus::name);
  return found == listeners.end() ? nullptr : &*found;
}

bool StreamStatus::has_port(std::uint16_t port) const {
  for (const auto item : base::split_list(ports)) {
    const auto dash = item.find('-');
    const auto first = base::parse_integer<std::uint16_t>(item.substr(0, dash));
    const auto last =
        dash == item.npos ? first : base::parse_integer<std::uint16_t>(item.substr(dash + 1));
    if (first && last && *first <= port && port <= *last) return true;
  }
  return false;
}

StreamStatus parse_stream_status(const Json& object) {
  StreamStatus status;
  const auto json = object.get("status");
  status.generation = json.integer("observedGeneration", 0, kMostGenerations, 0);
  status.ports = json.text("ports");
  status.backends = json.text("backends");
  status.replicas = json.text("replicas");
  status.config = json.text("configVersion");
  status.reason = json.text("reason");
  status.columns = {json.text("class"), json.text("address"), json.text("algorithm"),
                    json.text("conflictWith")};
  json.for_each("addresses", [&](const Json& item) {
    status.addresses.push_back({item.text("type"), item.text("value")});
  });
  status.conditions = parse_conditions(json);
  json.for_each("listeners", [&](const Json& item) {
    const auto port =
        item.integer("allocatedPort", 0, std::numeric_limits<std::uint16_t>::max(), 0);
    status.listeners.push_back({item.text("name"), item.text("protocol"), item.text("ports"),
                                item.text("owner"), static_cast<std::uint16_t>(port),
                                parse_conditions(item)});
  });
  return status;
}

std::string print_ports(const std::vector<std::uint16_t>& ports) {
  std::string out;
  for (std::size_t i = 0; i < ports.size();) {
    std::size_t end = i + 1;
    while (end < ports.size() && ports[end] == ports[end - 1] + 1) ++end;
    out += out.empty() ? "" : ", ";
    out +=
        end - i == 1 ? fmt::format("{}", ports[i]) : fmt::format("{}-{}", ports[i], ports[end - 1]);
    i = end;
  }
  return out;
}

std::string retired_status_json(const StreamStatus& status) {
  std::string kept;
  for (const auto& each : status.listeners) {
    if (each.allocated_port == 0) continue;
    kept += fmt::format(R"({}{{"name":"{}","allocatedPort":{}}})", kept.empty() ? "" : ",",
                        base::escape_json(each.name), each.allocated_port);
  }
  if (kept.empty()) return "null";
  std::string out = "{";
  for (const auto* field :
       {"observedGeneration", "ports", "backends", "replicas", "configVersion", "reason", "class",
        "address", "algorithm", "conflictWith", "addresses", "conditions"}) {
    out += fmt::format(R"("{}":null,)", field);
  }
  return out + fmt::format(R"("listeners":[{}]}})", kept);
}

std::string status_json(const StreamStatus& status) {
  std::string addresses;
  for (const auto& each : status.addresses) {
    addresses += fmt::format(R"({}{{"type":"{}","value":"{}"}})", addresses.empty() ? "" : ",",
                             each.type, base::escape_json(each.value));
  }
  return fmt::format(
      R"({{"observedGeneration":{},"ports":"{}","backends":"{}","replicas":"{}","configVersion":"{}","reason":"{}","class":"{}","address":"{}","algorithm":"{}","conflictWith":"{}","addresses":[{}],"conditions":[{}],"listeners":[{}]}})",
      status.generation, status.ports, status.backends, status.replicas,
      base::escape_json(status.config), status.reason, base::escape_json(status.columns.class_name),
      status.columns.address, status.columns.algorithm,
      base::escape_json(status.columns.conflict_with), addresses,
      conditions_json(status.conditions), listeners_json(status.listeners));
}

}  // namespace penstock::objects
