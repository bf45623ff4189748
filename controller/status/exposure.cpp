#include "controller/status/exposure.h"

#include <fmt/format.h>

#include <map>

#include "controller/status/json_text.h"
#include "proxy/base/ip_net.h"

namespace penstock::status {
namespace {

using objects::Condition;
using objects::Protocol;
using Ports = std::vector<std::uint16_t>;

constexpr std::size_t kMostInCommand = 8;
// As the schema has them.
constexpr std::size_t kMostAddresses = 16;
constexpr std::size_t kLongestAddress = 253;
constexpr std::size_t kLongestPorts = 200;
constexpr std::size_t kLongestError = 300;

Condition condition(bool holds, std::string_view reason, std::string message) {
  return {"Exposed", holds ? "True" : "False", std::string(reason), std::move(message), 0, {}};
}

std::string printed(const Ports& ports) {
  return fmt::format("{} {}", ports.size() == 1 ? "port" : "ports",
                     shortened(objects::print_ports(ports), kLongestPorts));
}

/// Ports of the Service that are not under the number of ours.
std::string under_other_numbers(const Exposure& exposure, Protocol protocol, const Ports& ports) {
  std::string out;
  for (const auto port : ports) {
    const auto* entry = exposure.entries.leading_to({protocol, port});
    if (entry == nullptr || entry->number == port) continue;
    out += fmt::format("{}{} as {}", out.empty() ? ": " : ", ", port, entry->number);
  }
  return shortened(out, kLongestPorts);
}

struct Lack {
  Ports ports;
  std::string message;  // of the first
};

/// Why the Service does not lead to this port of ours; without a reason where it does.
Refusal refusal_of(const Exposure& exposure, const PortKey& key) {
  if (const auto* entry = exposure.entries.leading_to(key)) {
    const auto error = exposure.entries.error_of(*entry);
    if (error.empty()) return {};
    return {"ServicePortRefused",
            "the load balancer says: " + shortened(base::escape_controls(error), kLongestError)};
  }
  if (const auto found = exposure.refusals.find(key); found != exposure.refusals.end()) {
    return found->second;
  }
  if (const auto* entry = exposure.entries.at(key)) {
    return {"ServicePortTaken", fmt::format("{} of it is '{}' and leads to port {}", key.number,
                                            entry->name, entry->target.text())};
  }
  if (exposure.written.contains(key)) return {std::string(kServicePortPending), "being written"};
  return {"ServicePortMissing", ""};
}

Condition by_service(const Exposure& exposure, Protocol protocol, const Ports& ports) {
  std::map<std::string, Lack> lacks;
  for (const auto port : ports) {
    const PortKey key{protocol, port};
    auto [reason, message] = refusal_of(exposure, key);
    if (reason.empty()) continue;
    auto& lack = lacks[reason];
    if (lack.ports.empty()) lack.message = std::move(message);
    lack.ports.push_back(port);
  }
  const auto name = "Service " + exposure.service_path;
  // What ends by itself comes last.
  for (const auto reason :
       {std::string_view("ServicePortTaken"), std::string_view("ServicePortRefused"),
        std::string_view("ServicePortLimit"), std::string_view("ServicePortMissing"),
        kServicePortPending}) {
    const auto found = lacks.find(std::string(reason));
    if (found == lacks.end()) continue;
    const auto& lack = found->second;
    auto message = fmt::format("{} does not lead to {}", name, printed(lack.ports));
    if (reason != "ServicePortMissing") {
      return condition(false, reason, fmt::format("{}: {}", message, lack.message));
    }
    std::vector<PortKey> keys;
    for (const auto port : lack.ports) keys.push_back({protocol, port});
    return condition(false, reason,
                     fmt::format("{}: {}", message, patch_command(*exposure.service, keys)));
  }
  const bool is_pending = exposure.service->type == objects::ServiceType::kLoadBalancer &&
                          exposure.service->load_balancer.empty() &&
                          exposure.service->external_ips.empty();
  if (is_pending) {
    return condition(false, "LoadBalancerPending",
                     fmt::format("{} has no address of a load balancer yet", name));
  }
  return condition(true, "ServicePort",
                   fmt::format("{} leads to {}{}", name, printed(ports),
                               under_other_numbers(exposure, protocol, ports)));
}

Condition by_pod(const PodPorts& pod, Protocol protocol, const Ports& ports) {
  if (pod.has_host_network) {
    return condition(true, "HostNetwork", "in the network of each node that runs us");
  }
  Ports missing;
  std::string others;
  for (const auto port : ports) {
    const auto found = pod.host_ports.find({protocol, port});
    if (found == pod.host_ports.end()) {
      missing.push_back(port);
    } else if (found->second != port) {
      others += fmt::format("{}{} as {}", others.empty() ? ": " : ", ", port, found->second);
    }
  }
  if (missing.empty()) {
    return condition(true, "HostPort",
                     fmt::format("{} of each node that runs us{}", printed(ports),
                                 shortened(others, kLongestPorts)));
  }
  return condition(false, "HostPortMissing",
                   fmt::format("no container of the pod {} has {} with a hostPort, and no Service "
                               "is named by --publish-service",
                               pod.pod, printed(missing)));
}

}  // namespace

std::string patch_command(const objects::Service& service, const std::vector<PortKey>& keys) {
  const auto count = std::min(keys.size(), kMostInCommand);
  std::string values;
  std::string operations;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = entry_json(keys[i], {keys[i].number, {}});
    values += fmt::format("{}{}", i == 0 ? "" : ",", value);
    operations += fmt::format(R"({}{{"op":"add","path":"/spec/ports/-","value":{}}})",
                              i == 0 ? "" : ",", value);
  }
  if (service.ports.empty()) {
    operations = fmt::format(R"({{"op":"add","path":"/spec/ports","value":[{}]}})", values);
  } else if (service.ports.size() == 1 && service.ports[0].name.empty()) {
    // Of several each needs a name.
    const auto& only = service.ports[0];
    operations = fmt::format(R"({{"op":"add","path":"/spec/ports/0/name","value":"{}"}},{})",
                             entry_name({only.protocol, only.number}), operations);
  }
  auto out = fmt::format("kubectl patch service {} -n {} --type=json -p '[{}]'", service.meta.name,
                         service.meta.name_space, operations);
  if (keys.size() > count) out += fmt::format(" and the same for {} more", keys.size() - count);
  return out;
}

std::optional<Condition> exposed(const Exposure& exposure, Protocol protocol, const Ports& ports) {
  if (ports.empty()) return std::nullopt;
  if (exposure.service_path.empty()) {
    if (!exposure.pod) return std::nullopt;
    return by_pod(*exposure.pod, protocol, ports);
  }
  // Also one that is not there: it may be in a namespace that is not watched.
  if (exposure.service == nullptr ||
      exposure.service->type == objects::ServiceType::kExternalName) {
    return std::nullopt;
  }
  return by_service(exposure, protocol, ports);
}

std::vector<objects::StreamAddress> stream_addresses(const Addresses& addresses) {
  std::vector<objects::StreamAddress> out;
  for (const auto& each : addresses) {
    if (out.size() == kMostAddresses) break;
    if (each.empty() || each.size() > kLongestAddress) continue;
    out.push_back({base::parse_address(each) ? "IPAddress" : "Hostname", each});
  }
  return out;
}

}  // namespace penstock::status
