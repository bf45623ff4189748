#include "controller/kube/lease_hold.h"

#include <fmt/format.h>

#include "proxy/base/text.h"

namespace penstock::kube {
namespace {

constexpr std::int64_t kLongestSeconds = 1 << 30;

}  // namespace

std::string owners_json(const std::vector<Owner>& owners) {
  std::string list;
  for (const auto& each : owners) {
    list += fmt::format(R"({}{{"apiVersion":"{}","kind":"{}","name":"{}","uid":"{}"}})",
                        list.empty() ? "" : ",", base::escape_json(each.api_version),
                        base::escape_json(each.kind), base::escape_json(each.name),
                        base::escape_json(each.uid));
  }
  return fmt::format(R"("ownerReferences":[{}])", list);
}

Owner read_owner(const objects::Json& reference) {
  return {reference.text("apiVersion"), reference.text("kind"), reference.text("name"),
          reference.text("uid")};
}

std::string hold_json(const LeaseHold& hold, const std::string& version, base::WallTime now) {
  const auto time = format_micro_time(now);
  return fmt::format(
      R"({{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{{"name":"{}",)"
      R"("namespace":"{}",{}{}}},"spec":{{"holderIdentity":"{}","leaseDurationSeconds":{},)"
      R"("acquireTime":"{}","renewTime":"{}"}}}})",
      base::escape_json(hold.name), base::escape_json(hold.name_space),
      version.empty() ? "" : fmt::format(R"("resourceVersion":"{}",)", base::escape_json(version)),
      owners_json(hold.owners), base::escape_json(hold.identity), hold.duration.count(), time,
      time);
}

base::Result<SeenLease> see_lease(std::string_view json) {
  return objects::read_json<SeenLease>(json, [](const objects::Json& lease) {
    const auto spec = lease.get("spec");
    const auto meta = lease.get("metadata");
    SeenLease out;
    out.version = meta.text("resourceVersion");
    meta.for_each("ownerReferences",
                  [&](const objects::Json& each) { out.owners.push_back(read_owner(each)); });
    out.holder = spec.text("holderIdentity");
    out.duration =
        std::chrono::seconds(spec.integer("leaseDurationSeconds", 0, kLongestSeconds, 0));
    return out;
  });
}

}  // namespace penstock::kube
