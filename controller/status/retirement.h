#pragma once
// The end of an installation: takes back what it has written into the cluster, while its replicas
// still run, so that its objects can be deleted in any order afterwards and nothing stale stays
// (ADR 19). For a command: every call is waited for.
//
// First the Lease is held against all replicas, and the one that leads gets the time to see it.
// Then all that is ours is looked at until a look finds nothing to take back. The Lease goes with
// what makes the pods, so that nobody leads until that is deleted.
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/caller.h"
#include "controller/kube/lease_hold.h"
#include "controller/status/ingress_status.h"
#include "controller/translate/options.h"
#include "controller/world/world.h"

namespace penstock::status {

class Retirement {
 public:
  /// As the flags of the installation say.
  struct Options {
    translate::Options translate;
    std::string name_space;  // of pods, Lease and ReplicaReports
    std::string lease;
    std::chrono::milliseconds lease_duration{30'000};
    std::string pod_selector;  // of the installation's pods; empty: the labels of the one below
    std::string pod;           // one of them; empty: the one that holds the Lease
    std::string watch_namespace;
    std::string publish_service;  // path; empty: the addresses below, or those of the nodes
    Addresses addresses;
    bool reports_internal_addresses = false;
    bool publishes_stream_ports = false;
  };
  /// Takes a line for people.
  using Say = std::function<void(const std::string& line)>;

  Retirement(kube::Caller& caller, Options options, Say say)
      : caller_(caller), options_(std::move(options)), say_(std::move(say)) {}

  /// What could not be done, for each kind. The replicas then lead and write again.
  base::Result<void> run();

  /// How long the replica that leads may go on writing after its Lease was taken.
  static std::chrono::milliseconds longest_writing(std::chrono::milliseconds lease_duration) {
    return lease_duration / 2;
  }

 private:
  struct Due {
    objects::ObjectKey key;
    kube::Request request;
  };
  /// One look: what is to be done now.
  using Look = std::function<base::Result<std::vector<Due>>()>;
  using Visit = std::function<void(const objects::ObjectKey& key, const kube::RawObject& object)>;

  base::Result<void> find_pods();
  base::Result<std::string> find_selector();
  base::Result<void> read_lease();
  base::Result<void> hold_lease();
  base::Result<bool> try_to_hold(const kube::LeaseHold& hold);
  base::Result<void> take_back();
  base::Result<void> delete_lease_without_owner();
  void release_lease();

  base::Result<void> read_what_selects();
  base::Result<std::optional<Addresses>> find_addresses();
  base::Result<std::optional<Addresses>> node_addresses();
  base::Result<void> clear_ingresses();
  base::Result<std::vector<Due>> look_at_ingresses(const Addresses& ours, std::size_t& others);
  template <class T, objects::Kind kKind>
  base::Result<void> clear_streams();
  base::Result<void> delete_ingress_reports();
  base::Result<void> delete_replica_reports();
  base::Result<void> take_ports_out();

  base::Result<std::size_t> until_nothing_is_left(const Look& look);
  base::Result<void> list(objects::Kind kind, const std::string& name_space,
                          const std::string& selector, const Visit& visit);
  void take_in(const objects::ObjectKey& key, const kube::RawObject& object);
  objects::ObjectKey service_key() const;
  std::string lease_path() const;
  std::string lease_name() const { return "Lease " + options_.name_space + "/" + options_.lease; }

  kube::Caller& caller_;
  Options options_;
  Say say_;
  world::World world_;
  std::optional<kube::SeenLease> lease_;  // as it was read last
  bool is_held_ = false;
  std::set<kube::Owner> owners_;  // of the pods
  std::set<std::string> nodes_;   // that run them
};

/// Of a status those addresses that are not ours.
Addresses without(const Addresses& stands, const Addresses& ours);

}  // namespace penstock::status
