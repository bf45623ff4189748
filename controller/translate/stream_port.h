#pragma once
// What the jobs of TCP and UDP ports have in common: who gets the port, and the upstreams that the
// backends of its owner demand.
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/objects/stream_balancing.h"
#include "controller/objects/stream_fields.h"
#include "controller/objects/stream_health.h"
#include "controller/settings/global.h"
#include "controller/translate/job.h"
#include "controller/translate/key_pairs.h"
#include "controller/translate/name_claim.h"
#include "controller/translate/options.h"
#include "controller/translate/port_quota.h"
#include "controller/translate/reader.h"
#include "controller/translate/stream_map.h"

namespace penstock::translate {

struct StreamInput {
  Reader& reader;
  const Options& options;
  const settings::GlobalSettings& settings;
  const StreamMap& config_map;
  KeyPairs& pairs;
  const Surpluses* surpluses = nullptr;                 // ports that namespaces may not have
  const std::set<std::string>* passed_hosts = nullptr;  // by ssl-passthrough of their Ingresses
};

/// What is said of a transport in messages and names.
struct Transport {
  objects::Protocol protocol;
  std::string_view prefix;      // of parts and log names: "tcp"
  std::string_view name;        // "TCP"
  std::string_view kind;        // "TCPService"
  std::string_view config_map;  // "tcp-services"
  objects::Kind object_kind;
  std::string Options::* path;  // of the ConfigMap
};
inline constexpr Transport kTcp{
    objects::Protocol::kTcp, "tcp", "TCP", "TCPService", "tcp-services", objects::Kind::kTcpService,
    &Options::tcp_services};
inline constexpr Transport kUdp{
    objects::Protocol::kUdp, "udp", "UDP", "UDPService", "udp-services", objects::Kind::kUdpService,
    &Options::udp_services};

/// What an object says of a group of backends.
struct BackendPolicy {
  const objects::Meta& meta;
  const objects::StreamBalancing& load_balancing;
  const objects::StreamHealth& health;
};

/// What Penstock itself has the port for, or null.
const char* reserved_for(const Transport& transport, const Options& options, std::uint16_t port);

/// Name of the upstream's part that a backend of an object leads to.
std::string upstream_part(const Transport& transport, const objects::Meta& meta,
                          const objects::StreamBackend& backend);

/// The work on one port. Claims are made in order: the first one to an address gets it, alone or
/// with those that want other server names.
class StreamPort {
 public:
  StreamPort(const Transport& transport, StreamInput input, std::uint16_t port)
      : transport_(transport), in_(input), port_(port) {}

  /// The ConfigMap's entry, or null; one that names a reserved port is reported and left out.
  const StreamEntry* claim_for_config_map();
  /// True where the listener gets the port, or its names of the port; else the object is told why
  /// not.
  bool claim(const objects::Meta& meta, std::size_t index, const objects::StreamListener& listener,
             const NameClaim* names = nullptr);
  /// HTTPS has the port: nobody else gets more of it than names.
  bool is_https() const;

  /// The one backend of an entry; what is wrong with it is reported.
  snapshot::StreamBackend backend_of(const StreamEntry& entry);
  /// Adds a backend of an object unless it must not be served.
  void add_backend(const BackendPolicy& policy, const objects::StreamBackend& from,
                   const std::string& field, std::vector<snapshot::StreamBackend>& to);

  /// "tcp/5432", "tcp/10.0.0.1:5432".
  std::string part_name(const std::string& address) const;
  std::string log_name(const objects::Meta& meta) const;
  std::string log_name(const StreamEntry& entry) const;
  std::string owner(const objects::Meta& meta) const;
  std::string config_map_owner() const;

  std::uint16_t number() const { return port_; }
  const StreamInput& input() const { return in_; }
  Output take() { return std::move(out_); }
  /// False where the object may not refer to what is in that namespace, which is reported.
  bool may_refer(const objects::Meta& meta, const std::string& field, objects::Kind to,
                 const std::string& name_space, const std::string& name);
  /// What a condition of the object is to say.
  void report(const objects::Meta& meta, std::string field, Reason reason, std::string message,
              const objects::ObjectKey& other = {});
  /// The pair of a Secret is to be in the snapshot.
  void want_certificate(const std::string& path) { out_.certificates.push_back(path); }
  /// What every stream of this port begins with: its name, and the global settings.
  template <class T>
  T begin(const std::string& address) const {
    const auto& defaults = in_.settings.stream;
    T stream;
    stream.name = part_name(address);
    stream.address = address;
    stream.port = port_;
    stream.idle_timeout = defaults.idle_timeout;
    stream.retries_next_upstream = defaults.retries_next_upstream;
    stream.tries = defaults.tries;
    return stream;
  }
  template <class T>
  void add(snapshot::PartKind kind, T stream) {
    auto name = stream.name;
    out_.add(kind, name, std::move(stream));
  }

 private:
  struct Grant {
    std::string owner;  // "the TCPService data/db"
    std::string address;
    objects::ObjectKey object;
    std::optional<NameClaim> names = std::nullopt;  // nothing: the whole port
  };
  /// Why a grant leaves no room for what is wanted at an address.
  std::optional<Clash> clash_with(const Grant& grant, const std::string& address,
                                  const NameClaim* names) const;
  bool yields_to_ingress(const objects::Meta& meta, const std::string& field,
                         const NameClaim& names);
  void report_to_ingresses(const objects::Meta& meta, const NameClaim& names);
  const char* reserved_for() const {
    return translate::reserved_for(transport_, in_.options, port_);
  }
  objects::ObjectKey config_map_key() const;
  UpstreamDemand demand_of(const BackendPolicy& policy, const objects::StreamBackend& from) const;
  bool check(const BackendPolicy& policy, const objects::StreamBackend& from,
             const std::string& field);
  void report(const StreamEntry& entry, std::string message);

  const Transport& transport_;
  StreamInput in_;
  std::uint16_t port_;
  std::vector<Grant> grants_;
  Output out_;
};

/// Those of our class in the order in which they get the port: first who has had it, by its own
/// status, so that an old object that comes back takes nothing away; then the older.
template <class T>
std::vector<const T*> in_order(std::vector<const T*> services, const StreamInput& input,
                               std::uint16_t port);

}  // namespace penstock::translate
