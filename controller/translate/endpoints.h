#pragma once
// From a Service's port to the addresses behind it.
#include <optional>
#include <vector>

#include "controller/objects/service.h"
#include "controller/translate/job.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// An ExternalName, where an operator has said that there are none.
bool is_refused(const objects::Service& service, const Options& options);
/// The first port of the Service with this protocol that a reference means: by number, by name and,
/// where an Ingress asks, by targetPort. Null where there is none.
const objects::ServicePort* find_port(const objects::Service& service, const objects::PortRef& port,
                                      bool matches_target_port,
                                      objects::Protocol protocol = objects::Protocol::kTcp);

struct Found {
  std::vector<snapshot::Endpoint> endpoints;  // sorted, without repeats; empty: 503
  std::string refused;  // why an address was left out, with the address; empty where none was
  bool is_unresolved = false;  // a name is known to have no address, or no name server answers
};

Found endpoints_of(Reader& reader, const UpstreamDemand& demand, const Options& options);

/// Why an address must not be an endpoint; null where it may be one.
const char* refused_because(const base::Address& address, const Options& options);

}  // namespace penstock::translate
