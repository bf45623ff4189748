#pragma once
// Turns changed parts into the next table. Lives on the control thread.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/routing/routing_table.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::routing {

/// What a worker must reconcile besides taking the table.
struct TableChange {
  std::vector<std::uint32_t> upstreams;  // slots that are new, changed or gone
  std::vector<std::string> streams;      // names that are new, changed or gone
  bool is_global_changed = false;
};

struct Compiled {
  std::shared_ptr<const RoutingTable> table;
  TableChange change;
};

class Compiler {
 public:
  Compiler();
  /// Compiles the parts of the update onto the last table; what the update does not name is shared.
  /// The result is what the next update builds on. On failure nothing has changed.
  base::Result<Compiled> compile(const snapshot::Update& update);
  const std::shared_ptr<const RoutingTable>& last() const { return last_; }

 private:
  class Build;

  std::shared_ptr<const RoutingTable> last_;
  /// Slots of upstreams that are gone. One is given out again only to a later update, when no
  /// route of the table that it would be part of can still mean the old owner.
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 0;
};

}  // namespace penstock::routing
