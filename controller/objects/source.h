#pragma once
// Where objects come from: the Kubernetes API (controller/kube) or a directory of manifests
// (controller/directory). A source delivers on the controller's thread, one change at a time:
// every object as the JSON text that the API would give, first all that exist, then changes.
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/object.h"

namespace penstock::objects {

struct Change {
  ObjectKey key;
  bool is_removed = false;
  std::string json;  // empty when removed
  /// Where a person finds the object: "web.yaml:12" for a file, empty for the API.
  std::string origin;
  /// The age, in seconds since 1970, of an object whose metadata does not give one; 0: it has none.
  std::int64_t first_seen = 0;
};

struct SourceEvents {
  std::function<void(Change)> on_change;
  /// Every object that existed at start of a kind has been delivered.
  std::function<void(Kind)> on_synced;
  /// Source::has_settled may have become true.
  std::function<void()> on_settled;
};

/// How one watch of a source fares; for metrics.
struct WatchStatus {
  Kind kind = Kind::kIngress;
  std::uint64_t lists = 0;
  std::uint64_t restarts = 0;
  std::uint64_t failures = 0;
  /// Since when what was delivered may be out of date.
  std::optional<std::chrono::steady_clock::time_point> disconnected_since;
};

/// Paths of Secrets that have begun or ceased to decide what is served.
struct WantedChange {
  std::set<std::string> begun;
  std::set<std::string> ceased;
  bool is_empty() const { return begun.empty() && ceased.empty(); }
};

class Source {
 public:
  virtual ~Source() = default;
  virtual void start() = 0;
  /// The Secrets that decide what is served, none at first; others need not be delivered.
  virtual void change_wanted_secrets(const WantedChange& change) = 0;
  /// Every wanted Secret has been delivered or is known not to exist.
  virtual bool has_settled() const = 0;
  /// Where a person finds a field of an object ("web.yaml:17"); empty where there is no such place.
  virtual std::string where(const ObjectKey& key, std::string_view pointer) const = 0;
  virtual std::vector<WatchStatus> status() const = 0;
};

}  // namespace penstock::objects
