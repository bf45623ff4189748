#include "controller/objects/reference_grant.h"

#include <algorithm>

#include "controller/objects/names.h"
#include "controller/objects/parse.h"
#include "controller/objects/stream_fields.h"

namespace penstock::objects {
namespace {

// The bounds of the CRD.
constexpr std::size_t kMostGrantEntries = 16;
constexpr std::size_t kLongestKind = 63;

/// The group may be empty, which is the core group, but is written.
void parse_group_and_kind(const Json& json, std::string& group, std::string& kind) {
  if (json.get("group").is_absent()) json.fail("group: expected a text, got none");
  if (json.get("kind").is_absent()) json.fail("kind: expected a text, got none");
  json.limit_text("group", 0, kLongestName);
  json.limit_text("kind", 1, kLongestKind);
  group = json.text("group");
  kind = json.text("kind");
}

/// "penstock.dev"; empty for the core group.
std::string group_of(Kind kind) {
  const auto version = info_of(kind).api_version;
  const auto slash = version.find('/');
  return std::string(slash == version.npos ? "" : version.substr(0, slash));
}

GrantFrom parse_from(const Json& json) {
  json.allow_only({"group", "kind", "namespace"});
  GrantFrom from;
  parse_group_and_kind(json, from.group, from.kind);
  if (json.get("namespace").is_absent()) json.fail("namespace: expected a text, got none");
  json.limit_text("namespace", 1, kLongestLabel);
  from.name_space = json.text("namespace");
  return from;
}

GrantTo parse_to(const Json& json) {
  json.allow_only({"group", "kind", "name"});
  GrantTo to;
  parse_group_and_kind(json, to.group, to.kind);
  json.limit_text("name", 0, kLongestName);
  to.name = json.text("name");
  return to;
}

}  // namespace

Reference make_reference(Kind from, const std::string& from_namespace, Kind to,
                         const std::string& to_namespace, const std::string& to_name) {
  return {{group_of(from), std::string(info_of(from).name), from_namespace},
          to_namespace,
          {group_of(to), std::string(info_of(to).name), to_name}};
}

bool ReferenceGrant::permits(const Reference& reference) const {
  if (reference.to_namespace != meta.name_space) return false;
  const auto is_to = [&](const GrantTo& each) {
    return each.group == reference.to.group && each.kind == reference.to.kind &&
           (each.name.empty() || each.name == reference.to.name);
  };
  return std::ranges::find(from, reference.from) != from.end() && std::ranges::any_of(to, is_to);
}

/// A field that is not known could narrow what is permitted: such a grant cannot be read.
ReferenceGrant parse_reference_grant(const Json& json) {
  ReferenceGrant grant;
  grant.meta = parse_meta(json);
  grant.meta.annotations.clear();
  grant.meta.labels.clear();
  const auto spec = json.get("spec");
  if (spec.is_absent()) {
    json.fail("spec: expected an object, got none");
    return grant;
  }
  spec.allow_only({"from", "to"});
  for (const auto* key : {"from", "to"}) {
    if (spec.get(key).is_absent()) spec.fail(std::string(key) + ": expected a list, got none");
    spec.limit_items(key, 1, kMostGrantEntries);
  }
  spec.for_each("from", [&](const Json& item) { grant.from.push_back(parse_from(item)); });
  spec.for_each("to", [&](const Json& item) { grant.to.push_back(parse_to(item)); });
  return grant;
}

}  // namespace penstock::objects
