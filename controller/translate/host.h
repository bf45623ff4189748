#pragma once
// The job that makes one host: all routes of all Ingresses that name it.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controller/settings/global.h"
#include "controller/translate/job.h"
#include "controller/translate/key_pairs.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// What the annotations of an Ingress say. May be a memo; must be what annotations::read gives.
using PolicyOf =
    std::function<std::shared_ptr<const settings::IngressPolicy>(const objects::Ingress&)>;

struct HostInput {
  Reader& reader;
  KeyPairs& pairs;
  const Options& options;
  const settings::GlobalSettings& settings;
  PolicyOf policy_of;
};

/// No part where no Ingress that is ours names the host; the catch-all always has one.
Output translate_host(HostInput input, const std::string& host);

/// The upstream of a Service's port for HTTP.
UpstreamDemand http_demand(const std::string& name_space, const objects::ServiceBackend& backend);
/// The Service of --default-backend-service with its first port; nothing where there is none.
std::optional<UpstreamDemand> default_backend(Reader& reader, const Options& options);

}  // namespace penstock::translate
