#pragma once
// May an object of a namespace open a port? (StreamPortPolicy)
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/port_policy.h"
#include "controller/objects/service.h"
#include "controller/translate/options.h"
#include "controller/translate/port_quota.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// Those of our class that are for the namespace.
std::vector<const objects::StreamPortPolicy*> policies_for(Reader& reader, const Options& options,
                                                           const std::string& name_space);
/// Whether a listener of the protocol that takes any port gets one from the policy.
bool gives_any_port(const objects::StreamPortPolicy& policy, objects::Protocol protocol);

struct PortRequest {
  objects::Protocol protocol;
  std::uint16_t port;
  const std::string& name_space;
  std::string_view config_map;           // names who may open what a policy need not give
  const Surpluses* surpluses = nullptr;  // of all namespaces
};

/// Empty where it may; else why not. Without a policy of our class every port from 1024 up is open;
/// with one, those that a policy gives to the namespace are, up to the number that it lets each
/// namespace have. A policy that cannot be read gives nothing, and is there all the same.
std::string refused_because(Reader& reader, const Options& options, const PortRequest& request);

}  // namespace penstock::translate
