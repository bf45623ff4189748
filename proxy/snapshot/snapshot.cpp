#include "proxy/snapshot/snapshot.h"

namespace penstock::snapshot {

void apply(const Update& update, Snapshot& snapshot) {
  if (update.base == 0) snapshot.parts.clear();
  for (const auto& [key, part] : update.parts) {
    if (part) {
      snapshot.parts[key] = part;
    } else {
      snapshot.parts.erase(key);
    }
  }
  snapshot.version = update.version;
}

}  // namespace penstock::snapshot
