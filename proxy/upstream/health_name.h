#pragma once
#include <string>

#include "proxy/base/asio.h"
#include "proxy/snapshot/policy/health_check.h"

namespace penstock::upstream {

/// Names what an active check asks: the same address with the same check has the same name, in
/// whichever upstream it stands.
std::string health_name(const base::TcpEndpoint& endpoint, const snapshot::HealthCheck& check);

}  // namespace penstock::upstream
