#include "controller/directory/near_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "controller/directory/near_text.h"
#include "controller/objects/object.h"
#include "proxy/base/text.h"

namespace penstock::directory {
namespace {

constexpr std::string_view kOurGroup = "penstock.dev";
constexpr std::size_t kMostLetters = 2;  // more or fewer than the kind that was meant

std::string_view group_of(std::string_view api_version) {
  const auto slash = api_version.find('/');
  return slash == std::string_view::npos ? "" : api_version.substr(0, slash);
}

/// "", "extensions", "networking.k8s.io": others may have a Service or an Ingress of their own.
bool is_of_kubernetes(std::string_view group) {
  return !group.contains('.') || group.ends_with(".k8s.io");
}

bool is_written_by_us(std::string_view kind) {
  return kind == objects::kIngressReportKind.name || kind == objects::kReplicaReportKind.name;
}

bool is_near(std::string_view group, std::string_view kind, const objects::KindInfo& info) {
  const bool is_same_group = group == group_of(info.api_version);
  if (base::equals_ignoring_case(kind, info.name)) return is_same_group || is_of_kubernetes(group);
  // "IngressClass" begins as "Ingress" does, and is another kind.
  const auto longer = std::max(kind.size(), info.name.size());
  const auto shorter = std::min(kind.size(), info.name.size());
  const std::array names = {info.name};
  return is_same_group && longer - shorter <= kMostLetters && !nearest(kind, names).empty();
}

}  // namespace

std::string near_kind(std::string_view api_version, std::string_view kind) {
  const auto group = group_of(api_version);
  for (const auto& info : objects::kKinds) {
    if (!is_near(group, kind, info)) continue;
    return fmt::format("{} of {} is not read, did you mean {} of {}?", kind, api_version, info.name,
                       info.api_version);
  }
  if (group != kOurGroup || is_written_by_us(kind)) return {};
  return fmt::format(
      "{} of {} is not read: {} has TCPService, UDPService and StreamPortPolicy alone", kind,
      api_version, kOurGroup);
}

}  // namespace penstock::directory
