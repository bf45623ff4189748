#include "controller/objects/stream_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "proxy/base/text.h"

namespace penstock::objects {

const Condition* StreamStatus::find(std::string_view type) const {
  const auto found = std::ranges::find(conditions, type, &Condition::type);
  return found == conditions.end() ? nullptr : &*found;
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
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  StreamStatus status;
  const auto json = object.get("status");
  status.generation = json.integer("observedGeneration", 0, kMost, 0);
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
  json.for_each("conditions", [&](const Json& item) {
    status.conditions.push_back(
        {item.text("type"), item.text("status"), item.text("reason"), item.text("message"),
         item.integer("observedGeneration", 0, kMost, 0), item.text("lastTransitionTime")});
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

std::string status_json(const StreamStatus& status) {
  std::string addresses;
  for (const auto& each : status.addresses) {
    addresses += fmt::format(R"({}{{"type":"{}","value":"{}"}})", addresses.empty() ? "" : ",",
                             each.type, base::escape_json(each.value));
  }
  std::string conditions;
  for (const auto& each : status.conditions) {
    conditions += fmt::format(
        R"({}{{"type":"{}","status":"{}","reason":"{}","message":"{}","observedGeneration":{},"lastTransitionTime":"{}"}})",
        conditions.empty() ? "" : ",", each.type, each.status, each.reason,
        base::escape_json(each.message), each.generation, base::escape_json(each.since));
  }
  return fmt::format(
      R"({{"observedGeneration":{},"ports":"{}","backends":"{}","replicas":"{}","configVersion":"{}","reason":"{}","class":"{}","address":"{}","algorithm":"{}","conflictWith":"{}","addresses":[{}],"conditions":[{}]}})",
      status.generation, status.ports, status.backends, status.replicas,
      base::escape_json(status.config), status.reason, base::escape_json(status.columns.class_name),
      status.columns.address, status.columns.algorithm,
      base::escape_json(status.columns.conflict_with), addresses, conditions);
}

}  // namespace penstock::objects
