#include "controller/status/ingress_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "controller/objects/json.h"
#include "controller/status/json_text.h"

namespace penstock::status {
namespace {

using translate::Diagnostic;
using translate::Reason;

constexpr std::size_t kMostInEvent = 5;
constexpr auto kMostInteger = std::numeric_limits<std::int64_t>::max();

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::kInvalidSpec:
      return "InvalidSpec";
    case Reason::kBackendNotFound:
      return "BackendNotFound";
    case Reason::kPortNotFound:
      return "PortNotFound";
    case Reason::kAnnotationIgnored:
      return "AnnotationIgnored";
    case Reason::kAnnotationRefused:
      return "AnnotationRefused";
    case Reason::kPathTaken:
      return "PathTaken";
    case Reason::kCertificateNotUsed:
      return "CertificateNotUsed";
    default:
      return "NotServedAsWritten";
  }
}

Issue issue_of(const Diagnostic& diagnostic) {
  Issue out;
  out.reason = name_of(diagnostic.reason);
  out.field = shortened(diagnostic.field, kLongestText);
  out.message = shortened(diagnostic.message, kLongestText);
  if (!diagnostic.other.name.empty()) {
    out.by = diagnostic.other.name_space + "/" + diagnostic.other.name;
  }
  return out;
}

std::set<std::string> hosts_of(const objects::Ingress& ingress) {
  std::set<std::string> out;
  for (const auto& rule : ingress.rules) out.insert(rule.host.empty() ? "*" : rule.host);
  if (ingress.rules.empty()) out.insert("*");
  return out;
}

std::string class_of(const objects::Ingress& ingress) {
  if (ingress.class_name) return *ingress.class_name;
  const auto found = ingress.meta.annotations.find("kubernetes.io/ingress.class");
  return found == ingress.meta.annotations.end() ? "" : found->second;
}

std::string issue_json(const Issue& issue) {
  const auto by = issue.by.empty() ? "" : fmt::format(R"("by":{},)", json_string(issue.by));
  return fmt::format(R"({{{}"field":{},"message":{},"reason":{}}})", by, json_string(issue.field),
                     json_string(issue.message), json_string(issue.reason));
}

template <class T, class Print>
std::string list_json(const std::vector<T>& items, Print print) {
  std::string out;
  for (const auto& each : items) out.append(out.empty() ? "" : ",").append(print(each));
  return '[' + out + ']';
}

}  // namespace

bool IngressReport::says_the_same(const IngressReport& other) const {
  auto mine = *this;
  mine.since = other.since;
  mine.live = other.live;
  mine.version = other.version;
  return mine == other;
}

bool IngressReport::is_live() const {
  const auto slash = live.find('/');
  return slash != std::string::npos && live != "0/0" &&
         live.substr(0, slash) == live.substr(slash + 1);
}

IngressReport make_report(const IngressView& view) {
  IngressReport out;
  out.controller = view.controller;
  out.ingress_class = class_of(*view.ingress);
  out.generation = view.ingress->meta.generation;
  const auto hosts = hosts_of(*view.ingress);
  out.host_count = hosts.size();
  for (const auto& each : hosts) {
    if (out.hosts.size() < kMostHosts) out.hosts.push_back(each);
  }
  out.issue_count = view.diagnostics.size();
  for (const auto& each : view.diagnostics) {
    if (out.issues.size() < kMostIssues) out.issues.push_back(issue_of(each));
  }
  out.state = !view.is_served ? kRejected : out.issue_count == 0 ? kServed : kDegraded;
  return out;
}

std::string report_json(const std::string& path, const std::string& uid,
                        const IngressReport& report) {
  const auto slash = path.find('/');
  const auto name = path.substr(slash + 1);
  return fmt::format(
      R"({{"apiVersion":"penstock.dev/v1alpha1","kind":"IngressReport","metadata":{{"name":{0},)"
      R"("namespace":{1},"ownerReferences":[{{"apiVersion":"networking.k8s.io/v1",)"
      R"("kind":"Ingress","name":{0},"uid":{2}}}]}},"report":{{"controller":{3},)"
      R"("hostCount":{4},"hosts":{5},"ingressClass":{6},"issueCount":{7},"issues":{8},)"
      R"("live":{9},"observedGeneration":{10},"since":{11},"state":{12},"version":{13}}}}})",
      json_string(name), json_string(path.substr(0, slash)), json_string(uid),
      json_string(report.controller), report.host_count, list_json(report.hosts, json_string),
      json_string(report.ingress_class), report.issue_count, list_json(report.issues, issue_json),
      json_string(report.live), report.generation, json_string(report.since),
      json_string(report.state), report.version);
}

base::Result<NamedReport> parse_report(std::string_view json) {
  return objects::read_json<NamedReport>(json, [](const objects::Json& object) {
    NamedReport out;
    out.name_space = object.get("metadata").text("namespace");
    out.name = object.get("metadata").text("name");
    const auto from = object.get("report");
    const auto count = [&](const char* key) {
      return static_cast<std::size_t>(from.integer(key, 0, kMostInteger, 0));
    };
    auto& report = out.report;
    report.controller = from.text("controller");
    report.ingress_class = from.text("ingressClass");
    report.state = from.text("state");
    report.since = from.text("since");
    report.generation = from.integer("observedGeneration", 0, kMostInteger, 0);
    report.hosts = from.texts("hosts");
    report.host_count = count("hostCount");
    report.issue_count = count("issueCount");
    report.live = from.text("live");
    report.version = count("version");
    from.for_each("issues", [&](const objects::Json& each) {
      report.issues.push_back(
          {each.text("reason"), each.text("field"), each.text("message"), each.text("by")});
    });
    return out;
  });
}

EventText report_event(const objects::ObjectKey& ingress, const std::string& uid,
                       const IngressReport& report) {
  std::string message;
  const auto shown = std::min(kMostInEvent, report.issues.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& each = report.issues[i];
    message += fmt::format("{}{}: {}", i == 0 ? "" : "; ", each.reason, each.message);
  }
  if (report.issue_count > kMostInEvent) {
    message += fmt::format("; and {} more", report.issue_count - kMostInEvent);
  }
  if (message.empty()) message = "served as written";
  // Two changes may come within a second.
  const auto moment = fmt::format("{} {}", report.since, report.generation);
  return {ingress, uid, report.state, message, moment, report.state != kServed};
}

}  // namespace penstock::status
