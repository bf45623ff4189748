#include "controller/status/replica_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/kube/lease_hold.h"
#include "controller/objects/json.h"
#include "controller/status/json_text.h"

namespace penstock::status {
namespace {

constexpr std::int64_t kMostProxies = 64;
constexpr std::size_t kLongestProblem = 512;

}  // namespace

bool ReplicaReport::says_the_same(const ReplicaReport& other) const {
  auto mine = *this;
  mine.renewed = other.renewed;
  return mine == other;
}

std::string replica_json(const ReplicaPod& pod, const ReplicaReport& report) {
  std::string problems;
  for (std::size_t i = 0; i < std::min(report.problems.size(), kMostProblems); ++i) {
    problems.append(i == 0 ? "" : ",")
        .append(json_string(shortened(report.problems[i], kLongestProblem)));
  }
  const auto owner =
      pod.uid.empty() ? "" : "," + kube::owners_json({{"v1", "Pod", pod.name, pod.uid}});
  return fmt::format(
      R"({{"apiVersion":"penstock.dev/v1alpha1","kind":"ReplicaReport","metadata":{{"name":{},)"
      R"("namespace":{}{}}},"report":{{"config":{},"controller":{},"group":{},"problems":[{}],)"
      R"("proxies":{},"renewed":{}}}}})",
      json_string(pod.name), json_string(pod.name_space), owner, json_string(report.config),
      json_string(report.controller), json_string(report.group), problems, report.proxies,
      json_string(report.renewed));
}

base::Result<ReplicaReport> parse_replica(std::string_view json) {
  return objects::read_json<ReplicaReport>(json, [](const objects::Json& object) {
    const auto from = object.get("report");
    ReplicaReport out;
    out.controller = from.text("controller");
    out.group = from.text("group");
    out.config = from.text("config");
    out.proxies = static_cast<std::size_t>(from.integer("proxies", 0, kMostProxies, 0));
    from.limit_items("problems", 0, kMostProblems);
    out.problems = from.texts("problems");
    out.renewed = from.text("renewed");
    return out;
  });
}

base::Result<bool> has_owner(std::string_view json) {
  return objects::read_json<bool>(json, [](const objects::Json& object) {
    bool out = false;
    object.get("metadata").for_each("ownerReferences", [&](const objects::Json&) { out = true; });
    return out;
  });
}

}  // namespace penstock::status
