#pragma once
#include <string>

namespace penstock::program {

/// Who we are in the cluster: POD_NAMESPACE and POD_NAME. Empty outside of a pod.
struct Pod {
  std::string name_space;
  std::string name;
};

Pod this_pod();

}  // namespace penstock::program
