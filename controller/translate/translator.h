#pragma once
// Objects in, parts of a snapshot and diagnostics out. Pure: no I/O, clock or log; the same world
// gives the same parts whatever came before.
//
// The work is cut into jobs (the settings, the review of an Ingress, a host, a stream port, an
// upstream, a certificate). Each remembers the facts that it has read; a change runs again only the
// jobs that have read what it touched, and passes on only parts that came out different.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controller/objects/source.h"
#include "controller/settings/global.h"
#include "controller/translate/job.h"
#include "controller/translate/key_pairs.h"
#include "controller/translate/options.h"
#include "controller/translate/port_quota.h"
#include "controller/translate/reader.h"
#include "controller/translate/stream_map.h"

namespace penstock::translate {

/// A null part is gone.
using PartChanges = std::map<snapshot::PartKey, snapshot::PartPtr>;

class Translator {
 public:
  explicit Translator(Options options);

  /// Brings the parts in step with the world; `touched` is what changed since the last call. The
  /// first call takes the world as a whole.
  PartChanges translate(const world::World& world, const world::Touched& touched);
  /// Before the first of those calls: Options::zone, for who learns it later than the rest.
  void set_zone(std::string zone) { options_.zone = std::move(zone); }

  const std::map<snapshot::PartKey, snapshot::PartPtr>& parts() const { return parts_; }
  /// Sorted; with the objects that could not be read.
  std::vector<Diagnostic> diagnostics(const world::World& world) const;
  /// Paths of Secrets that decide what is served, whether they exist or not.
  std::set<std::string> wanted_secrets() const { return keys_of(secrets_); }
  std::set<std::string> wanted_names() const { return keys_of(names_); }
  /// Of one object, but for one that could not be read.
  std::vector<Diagnostic> diagnostics_of(const objects::ObjectKey& object) const;
  /// Counts changes of the set above.
  std::uint64_t names_revision() const { return names_revision_; }
  /// How the wanted Secrets differ from what they were when this was last called.
  objects::WantedChange take_secrets_change() { return std::exchange(secrets_change_, {}); }
  /// Counts changes of what `diagnostics` gives, apart from objects that cannot be read.
  std::uint64_t diagnostics_revision() const { return diagnostics_revision_; }
  /// The Ingresses that are served.
  const std::set<std::string>& served_ingresses() const { return served_; }
  /// Paths of the Ingresses that the last call has looked at: all that have changed, and all that
  /// have begun or ceased to be served.
  const std::set<std::string>& reviewed_ingresses() const { return reviewed_; }
  /// Paths of the Ingresses whose diagnostics the last call may have changed.
  const std::set<std::string>& diagnosed_ingresses() const { return diagnosed_; }
  std::uint64_t jobs_run() const { return jobs_run_; }
  const Options& options() const { return options_; }
  // What the ConfigMaps said when `translate` was last called.
  const settings::GlobalSettings& settings() const { return settings_; }
  const StreamMap& tcp_map() const { return tcp_map_; }
  const StreamMap& udp_map() const { return udp_map_; }
  const Surpluses& surpluses() const { return surpluses_; }

 private:
  enum class JobKind {
    kSettings,
    kReview,
    kHost,
    kPortQuota,  // of a namespace
    kTcpStream,
    kUdpStream,
    kUpstream,
    kCertificate
  };
  using JobKey = std::pair<JobKind, std::string>;
  struct Job {
    std::vector<world::Fact> facts;
    std::vector<std::string> secrets;
    std::vector<std::string> names;
    std::vector<snapshot::PartKey> parts;
    std::vector<Diagnostic> diagnostics;
    std::vector<std::pair<Rank, std::string>> upstreams;  // rank and part: keys into demands_
    std::vector<std::string> certificates;
  };
  using Jobs = std::map<JobKey, Job>;
  using Counts = std::map<std::string, int>;
  using DemandKey = std::pair<Rank, JobKey>;

  void mark(const world::World& world, const world::Touched& touched);
  void mark_everything(const world::World& world);
  void mark_all(JobKind kind);
  void mark_ports(JobKind kind, const std::set<std::uint16_t>& ports);
  void run_kind(JobKind kind, const world::World& world);
  void run(const JobKey& key, const world::World& world);
  Output compute(const JobKey& key, Reader& reader, const world::World& world);
  Output run_settings(Reader& reader);
  StreamMap read_map(Reader& reader, const std::string& path, Output& out) const;
  void replace_map(StreamMap& map, StreamMap now, JobKind kind);
  Output run_review(Reader& reader, const objects::Ingress& ingress);
  Output run_quota(Reader& reader, const std::string& name_space, const world::World& world);
  void finish(const JobKey& key, Reader& reader, Output output);
  void set_facts(Jobs::iterator job, std::vector<world::Fact> facts);
  void set_demands(Jobs::iterator job, Output& output);
  void set_parts(Job& job, Output& output);
  void set_diagnostics(Job& job, Output& output);
  std::shared_ptr<const settings::IngressPolicy> policy_of(const objects::Ingress& ingress);
  static objects::WantedChange count(Counts& counts, std::vector<std::string>& before,
                                     const std::set<std::string>& now);
  void note_passed_host(const std::string& host, bool is_passed);
  void note_secrets(const objects::WantedChange& change);
  static std::set<std::string> keys_of(const Counts& counts);

  Options options_;
  bool is_first_ = true;
  Jobs jobs_;
  std::set<JobKey> dirty_;
  std::unordered_map<world::Fact, std::vector<const JobKey*>> readers_;
  std::map<snapshot::PartKey, snapshot::PartPtr> parts_;
  PartChanges changes_;

  settings::GlobalSettings settings_;
  std::shared_ptr<const settings::IngressPolicy> default_policy_;
  StreamMap tcp_map_;
  StreamMap udp_map_;
  Surpluses surpluses_;
  KeyPairs pairs_;
  std::unordered_map<std::string, std::shared_ptr<const settings::IngressPolicy>> policies_;
  std::set<std::string> served_;
  std::set<std::string> passed_hosts_;  // whose TLS is passed through
  std::set<std::string> reviewed_;
  std::set<std::string> diagnosed_;
  std::unordered_map<std::string, std::map<DemandKey, UpstreamDemand>> demands_;
  Counts certificate_counts_;
  Counts secrets_;
  Counts names_;
  objects::WantedChange secrets_change_;
  std::uint64_t names_revision_ = 0;
  std::uint64_t jobs_run_ = 0;
  std::map<Diagnostic, int> diagnostics_;  // how many jobs say it
  std::uint64_t diagnostics_revision_ = 0;
};

}  // namespace penstock::translate
