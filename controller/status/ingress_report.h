#pragma once
// What became of one Ingress: the content of its IngressReport. Pure: from what is known to the
// report, to and from its JSON, and to the Event that tells of a change.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/ingress.h"
#include "controller/status/events.h"
#include "controller/translate/diagnostic.h"
#include "proxy/base/result.h"

namespace penstock::status {

/// Something that is not served as written.
struct Issue {
  std::string reason;   // "AnnotationIgnored"
  std::string field;    // a JSON pointer
  std::string message;  // what was expected and what was found
  std::string by;       // "shop/web": who has the path

  bool operator==(const Issue&) const = default;
};

/// What an API object may hold of it is bounded (kMostHosts, kMostIssues); the counts are not.
struct IngressReport {
  std::string controller;
  std::string ingress_class;
  std::string state;  // kServed, kDegraded, kRejected
  std::string since;  // of this state with these issues
  std::int64_t generation = 0;
  std::vector<std::string> hosts;
  std::size_t host_count = 0;
  std::vector<Issue> issues;
  std::size_t issue_count = 0;
  std::string live;           // proxies that serve it in this form of all: "1/1"
  std::uint64_t version = 0;  // of the first table that held it in this form

  /// All but what counts proxies and tells times.
  bool says_the_same(const IngressReport& other) const;
  bool is_live() const;
  bool operator==(const IngressReport&) const = default;
};

inline constexpr std::string_view kServed = "Served";      // as written
inline constexpr std::string_view kDegraded = "Degraded";  // served, but not all of it as written
inline constexpr std::string_view kRejected = "Rejected";  // none of it

inline constexpr std::size_t kMostHosts = 16;
inline constexpr std::size_t kMostIssues = 32;
inline constexpr std::size_t kLongestText = 512;

struct IngressView {
  const objects::Ingress* ingress = nullptr;
  std::string controller;
  bool is_served = true;
  std::vector<translate::Diagnostic> diagnostics;
};

/// Without `since`, `live` and `version`.
IngressReport make_report(const IngressView& view);

/// The object of the API; `uid` is the Ingress's, which owns it.
std::string report_json(const std::string& path, const std::string& uid,
                        const IngressReport& report);
/// The namespace and name of the object, and what it says.
struct NamedReport {
  std::string name_space;
  std::string name;
  IngressReport report;
};
base::Result<NamedReport> parse_report(std::string_view json);

/// Of a report that says something new.
EventText report_event(const objects::ObjectKey& ingress, const std::string& uid,
                       const IngressReport& report);

}  // namespace penstock::status
