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

}  // namespace

std::string refused_because(Reader& reader, const Options& options, objects::Protocol protocol,
                            std::uint16_t port, const std::string& name_space,
                            std::string_view config_map) {
  const auto known = reader.port_policies();
  bool has_policy = known.has_unreadable;
  for (const auto* policy : known.policies) {
    if (!is_ours(reader, *policy, options)) continue;
    has_policy = true;
    if (policy->has(protocol, port) && is_for(reader, *policy, name_space)) return {};
  }
  if (has_policy) {
    return fmt::format("no StreamPortPolicy gives port {} to the namespace {}", port, name_space);
  }
  if (port >= kFirstOpenPort) return {};
  return fmt::format(
      "expected a port from {} up, got {}: lower ones are opened by the {} ConfigMap alone",
      kFirstOpenPort, port, config_map);
}

}  // namespace penstock::translate
