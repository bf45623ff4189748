#pragma once
#include <vector>

#include "proxy/base/ip_net.h"

namespace penstock::snapshot {

/// Who may come in by client address. `denied` is asked first; an empty `allowed` admits all.
struct IpAccess {
  std::vector<base::IpNet> allowed;
  std::vector<base::IpNet> denied;

  template <class Archive>
  void describe(Archive& archive) {
    archive("allowed", allowed)("denied", denied);
  }
  bool operator==(const IpAccess&) const = default;
};

}  // namespace penstock::snapshot
