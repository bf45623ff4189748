#pragma once
// gateway.networking.k8s.io ReferenceGrant: which objects of other namespaces may refer to objects
// of its own. It is not ours: what it says of kinds that we do not serve is read and of no concern.
#include <string>
#include <vector>

#include "controller/objects/meta.h"
#include "controller/objects/object.h"

namespace penstock::objects {

struct GrantFrom {
  std::string group;
  std::string kind;
  std::string name_space;

  bool operator==(const GrantFrom&) const = default;
};

struct GrantTo {
  std::string group;  // empty = the core group
  std::string kind;
  std::string name;  // empty = all of the kind
};

/// What an object of one namespace says of an object of another.
struct Reference {
  GrantFrom from;
  std::string to_namespace;
  GrantTo to;
};
Reference make_reference(Kind from, const std::string& from_namespace, Kind to,
                         const std::string& to_namespace, const std::string& to_name);

struct ReferenceGrant {
  Meta meta;
  std::vector<GrantFrom> from;
  std::vector<GrantTo> to;

  bool permits(const Reference& reference) const;
};

}  // namespace penstock::objects
