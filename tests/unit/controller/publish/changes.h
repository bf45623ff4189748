#pragma once
// Parts of a table, by their keys.
#include <map>
#include <memory>
#include <utility>

#include "proxy/snapshot/snapshot.h"

namespace penstock::publish {

using Changes = std::map<snapshot::PartKey, snapshot::PartPtr>;

template <class T>
snapshot::PartPtr part(T value) {
  return std::make_shared<const snapshot::Part>(std::move(value));
}

}  // namespace penstock::publish
