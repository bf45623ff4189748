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

/// The object of the API.
std::string replica_json(std::string_view name_space, std::string_view name,
                         const ReplicaReport& report);
base::Result<ReplicaReport> parse_replica(std::string_view json);

}  // namespace penstock::status
