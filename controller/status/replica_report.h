#pragma once
// What one replica says of itself to the others: the content of its ReplicaReport. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::status {

struct ReplicaReport {
  std::string controller;  // its class
  std::string group;       // its --election-id: replicas of one installation share it
  std::string config;      // name of what all of its proxies serve; empty: they serve nothing
  std::size_t proxies = 0;
  std::vector<std::string> problems;  // ports that are not open, one sentence each
  std::string renewed;

  /// All but when it was said.
  bool says_the_same(const ReplicaReport& other) const;
  bool operator==(const ReplicaReport&) const = default;
};

inline constexpr std::size_t kMostProblems = 64;

/// The pod that a report is of.
struct ReplicaPod {
  std::string name_space;
  std::string name;  // of the report as well
  std::string uid;   // empty: the report has no owner
};

/// The object of the API. The pod owns it and takes it along.
std::string replica_json(const ReplicaPod& pod, const ReplicaReport& report);
base::Result<ReplicaReport> parse_replica(std::string_view json);
/// Whether an object, by its JSON, goes with another one.
base::Result<bool> has_owner(std::string_view json);

}  // namespace penstock::status
