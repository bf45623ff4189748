#include "proxy/upstream/health_name.h"

#include "proxy/base/ip_net.h"
#include "proxy/snapshot/binary.h"

namespace penstock::upstream {

std::string health_name(const base::TcpEndpoint& endpoint, const snapshot::HealthCheck& check) {
  auto name = base::format_endpoint(endpoint.address(), endpoint.port()) + " ";
  snapshot::BinaryWriter(name).write(check);
  return name;
}

}  // namespace penstock::upstream
