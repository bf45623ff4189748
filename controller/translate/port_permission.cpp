#include "controller/translate/port_permission.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/translate/class_selection.h"

namespace penstock::translate {
namespace {

constexpr std::uint16_t kFirstOpenPort = 1024;

bool is_for(Reader& reader, const objects::StreamPortPolicy& policy,
            const std::string& name_space) {
  if (!policy.namespaces) return true;
  const auto* found = reader.find<objects::Namespace>(name_space);
  return found != nullptr && policy.namespaces->matches(found->meta.labels);
}

bool is_beyond(const PortRequest& request, const objects::StreamPortPolicy& policy) {
  if (policy.most_ports == 0 || request.surpluses == nullptr) return false;
  const auto found = request.surpluses->find(request.name_space);
  return found != request.surpluses->end() &&
         found->second.contains({policy.meta.name, request.protocol, request.port});
}

}  // namespace

std::vector<const objects::StreamPortPolicy*> policies_for(Reader& reader, const Options& options,
                                                           const std::string& name_space) {
  auto policies = reader.port_policies().policies;
  std::erase_if(policies, [&](const objects::StreamPortPolicy* each) {
    return !is_ours(reader, *each, options) || !is_for(reader, *each, name_space);
  });
  return policies;
}

bool gives_any_port(const objects::StreamPortPolicy& policy, objects::Protocol protocol) {
  return policy.gives_any_port &&
         std::ranges::any_of(policy.ports, [&](const objects::PolicyPorts& each) {
           return !each.protocol || each.protocol == protocol;
         });
}

std::string refused_because(Reader& reader, const Options& options, const PortRequest& request) {
  const auto known = reader.port_policies();
  bool has_policy = known.has_unreadable;
  const objects::StreamPortPolicy* full = nullptr;
  for (const auto* policy : known.policies) {
    if (!is_ours(reader, *policy, options)) continue;
    has_policy = true;
    const bool gives =
        policy->has(request.protocol, request.port) && is_for(reader, *policy, request.name_space);
    if (!gives) continue;
    if (!is_beyond(request, *policy)) return {};
    if (full == nullptr || policy->meta.name < full->meta.name) full = policy;
  }
  if (full != nullptr) {
    return fmt::format(
        "expected at most {} ports of StreamPortPolicy {} for the namespace {} "
        "(maxListenersPerNamespace), port {} is one more",
        full->most_ports, full->meta.name, request.name_space, request.port);
  }
  if (has_policy) {
    return fmt::format("no StreamPortPolicy gives port {} to the namespace {}", request.port,
                       request.name_space);
  }
  if (request.port >= kFirstOpenPort) return {};
  return fmt::format(
      "expected a port from {} up, got {}: lower ones are opened by the {} ConfigMap and, with "
      "--stream-port-policies, for whom a StreamPortPolicy with allowPrivileged gives them",
      kFirstOpenPort, request.port, request.config_map);
}

}  // namespace penstock::translate
