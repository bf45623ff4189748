#pragma once
// A Lease that is held against all replicas, while what they have written is taken back: whoever
// leads finds that it is no longer its own, and those that wait have a long time to wait. Pure.
#include <chrono>
#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/lease.h"
#include "controller/objects/json.h"
#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace penstock::kube {

/// Whom an object goes with.
struct Owner {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;

  auto operator<=>(const Owner&) const = default;
};

/// "ownerReferences":[...]
std::string owners_json(const std::vector<Owner>& owners);

struct LeaseHold {
  std::string name_space;
  std::string name;
  std::string identity;
  std::chrono::seconds duration{600};
  std::vector<Owner> owners;  // once all of them are gone, the Lease goes
};

/// An entry of metadata.ownerReferences.
Owner read_owner(const objects::Json& reference);

/// The merge patch that takes a Lease of this version, whoever holds it; without a version the
/// Lease itself, where there is none.
std::string hold_json(const LeaseHold& hold, const std::string& version, base::WallTime now);

/// What matters of a Lease's JSON here.
struct SeenLease {
  std::string holder;
  std::chrono::seconds duration{0};
  std::string version;
  std::vector<Owner> owners;
};
base::Result<SeenLease> see_lease(std::string_view json);

}  // namespace penstock::kube
