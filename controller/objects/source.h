#pragma once
// Where objects come from: the Kubernetes API (controller/kube) or a directory of manifests
// (controller/directory). A source delivers on the controller's thread, one change at a time:
// every object as the JSON text that the API would give, first all that exist, then changes.
#include <functional>
#include <string>

#include "controller/objects/object.h"

namespace penstock::objects {

struct Change {
  ObjectKey key;
  bool is_removed = false;
  std::string json;  // empty when removed
  /// Where a person finds the object: "web.yaml:12" for a file, empty for the API.
  std::string origin;
};

struct SourceEvents {
  std::function<void(Change)> on_change;
  /// Every object that existed at start of a kind has been delivered.
  std::function<void(Kind)> on_synced;
};

}  // namespace penstock::objects
