// A response of a health check: any bytes give a status or none, and what is read within its
// length.
#include <cstdlib>
#include <string_view>

#include "proxy/health/grpc_health.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto status = penstock::health::read_health_response(bytes);
  if (status && penstock::health::read_health_response(bytes.substr(0, size - 1))) std::abort();
  return 0;
}
