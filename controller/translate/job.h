#pragma once
// What one job of the translation gives: parts of the snapshot, what is wrong with the objects that
// it read, and what else must be in the snapshot because of it.
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "controller/objects/ingress.h"
#include "controller/objects/service.h"
#include "controller/objects/stream_fields.h"
#include "controller/translate/diagnostic.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::translate {

/// A group of endpoints that a route or a stream needs.
struct UpstreamDemand {
  std::string part;  // name of the part
  std::string name_space;
  std::string service;  // empty: `host` is resolved instead
  std::string host;
  objects::HostRecords records = objects::HostRecords::kAuto;
  objects::PortRef port;
  objects::Protocol protocol = objects::Protocol::kTcp;
  bool matches_target_port = false;  // an Ingress may name a Service's port by its targetPort
  snapshot::Balancing balancing;
  snapshot::PassiveHealth passive_health;
  snapshot::HealthCheck health_check;
  objects::ObjectKey wanted_by;  // set where `host` is
};

/// Age order of the objects that demand an upstream: the oldest decides how it balances.
struct Rank {
  std::int64_t created = 0;
  std::string name_space;
  std::string name;

  /// As objects::is_older.
  bool operator<(const Rank& other) const {
    return std::tie(created, other.name_space, other.name) <
           std::tie(other.created, name_space, name);
  }
};

struct Output {
  std::vector<std::pair<snapshot::PartKey, snapshot::PartPtr>> parts;
  std::vector<Diagnostic> diagnostics;
  std::vector<std::pair<Rank, UpstreamDemand>> upstreams;
  bool is_passed_through = false;         // a host: its TLS is not ended here
  std::vector<std::string> certificates;  // paths of Secrets that hold a usable pair

  template <class T>
  void add(snapshot::PartKind kind, const std::string& name, T part) {
    parts.emplace_back(snapshot::PartKey{kind, name},
                       std::make_shared<const snapshot::Part>(std::move(part)));
  }
};

inline Rank rank_of(const objects::Meta& meta) {
  return {meta.created, meta.name_space, meta.name};
}

}  // namespace penstock::translate
