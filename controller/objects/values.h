#pragma once
// Objects that are no more than named values: Secret, ConfigMap, Namespace.
#include <map>
#include <string>

#include "controller/objects/meta.h"

namespace penstock::objects {

/// Holds key material: never logged, never in a diagnostic.
struct Secret {
  Meta meta;
  std::string type;
  std::map<std::string, std::string> data;  // decoded
};

struct ConfigMap {
  Meta meta;
  std::map<std::string, std::string> data;
};

struct Namespace {
  Meta meta;
};

}  // namespace penstock::objects
