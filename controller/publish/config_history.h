#pragma once
// Names what our tables have held, the same on every replica that holds the same: so one replica
// can tell from a name how far another has come. Pure.
//
// A name is a sum over the parts, so that a change costs what it changes. Endpoints are left out,
// for replicas learn of them at different moments, and so is what belongs to one replica: the
// labels of its metrics and the certificate that it has made for itself.
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "proxy/snapshot/snapshot.h"

namespace penstock::publish {

class ConfigHistory {
 public:
  /// The parts that this version changes, null for those that are gone. Versions only grow.
  void add(std::uint64_t version, const std::map<snapshot::PartKey, snapshot::PartPtr>& changes);
  /// The name of what a version held: 16 hexadecimal digits. Empty where it is not known any more.
  std::string name_at(std::uint64_t version) const;
  /// The last version under this name, the largest number there is where it still stands; 0 where
  /// no table of ours has had it.
  std::uint64_t last_under(const std::string& name) const;

 private:
  std::map<snapshot::PartKey, std::uint64_t> parts_;
  std::uint64_t sum_ = 0;
  std::deque<std::pair<std::uint64_t, std::string>> runs_;  // the first version, and its name
  std::map<std::string, std::uint64_t> last_;               // by name: the start of its last run
};

}  // namespace penstock::publish
