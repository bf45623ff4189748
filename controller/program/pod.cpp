#include "controller/program/pod.h"

#include <cstdlib>

namespace penstock::program {
namespace {

std::string environment(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Pod this_pod() {
  return {environment("POD_NAMESPACE"), environment("POD_NAME"), environment("POD_UID")};
}

}  // namespace penstock::program
