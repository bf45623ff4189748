#pragma once
#include <string>

namespace penstock::program {

/// Who we are in the cluster: POD_NAMESPACE, POD_NAME and POD_UID. Empty outside of a pod.
struct Pod {
  std::string name_space;
  std::string name;
  std::string uid;
};

Pod this_pod();

}  // namespace penstock::program
