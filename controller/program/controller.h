#pragma once
// The life of a change: a source tells of an object, the world takes it in, the translator gives
// the parts that differ, the server hands them to the proxy, and the acknowledgement ends the
// measurement. All on one thread.
//
// Nothing is published before every kind has been listed and the wanted Secrets are there, so that
// a controller that starts never takes away what its proxy serves.
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "controller/dns/name_cache.h"
#include "controller/objects/source.h"
#include "controller/program/metrics.h"
#include "controller/publish/snapshot_server.h"
#include "controller/translate/translator.h"
#include "controller/world/world.h"
#include "proxy/base/published.h"
#include "proxy/base/result.h"

namespace penstock::program {

class Controller {
 public:
  struct Options {
    translate::Options translate;
    std::string socket;
    std::string resolv_conf = "/etc/resolv.conf";
  };

  static base::Result<std::unique_ptr<Controller>> make(asio::io_context& io, Options options,
                                                        Metrics& metrics);

  /// What a source is made with; the source comes with `run_from` before its first event.
  objects::SourceEvents source_events();
  /// Before `run_from`.
  void set_zone(std::string zone) { translator_.set_zone(std::move(zone)); }
  /// Starts the source. It must outlive the controller's last event.
  void run_from(objects::Source& source);

  /// A version of ours has been adopted. From any thread.
  bool is_ready() const { return is_ready_.get(); }
  /// The world is whole: every kind has been listed.
  bool has_translated() const { return has_translated_; }
  const translate::Translator& translator() const { return translator_; }
  const world::World& world() const { return world_; }
  /// Called after every batch of changes.
  std::function<void()> on_translated;
  /// Called when what proxies serve may have changed.
  std::function<void()> on_live;
  const publish::SnapshotServer& server() const { return *server_; }
  /// How the watches of the source fare; nothing before `run_from`.
  std::vector<objects::WatchStatus> watches() const {
    return source_ == nullptr ? std::vector<objects::WatchStatus>() : source_->status();
  }
  /// Ports that proxies cannot open, one sentence each.
  const std::vector<std::string>& port_problems() const { return port_problems_; }
  /// That fail the active checks of the proxy.
  const std::vector<snapshot::EndpointDown>& endpoints_down() const { return endpoints_down_; }

 private:
  Controller(asio::io_context& io, Options options, Metrics& metrics);
  void take(const objects::Change& change);
  void take_synced(objects::Kind kind);
  void take_adopted(const snapshot::Adopted& adopted);
  void flush_soon();
  void flush();
  void follow_wanted();
  bool may_publish();
  void publish();
  void log_diagnostics_soon();
  void log_diagnostics();
  void log_mended(const std::set<std::string>& current) const;
  void schedule_watch_metrics();

  asio::io_context& io_;
  Metrics& metrics_;
  world::World world_;
  world::Touched touched_;
  translate::Translator translator_;
  std::unique_ptr<publish::SnapshotServer> server_;
  dns::Resolver resolver_;
  dns::NameCache names_;
  objects::Source* source_ = nullptr;

  std::set<objects::Kind> synced_;
  bool is_flush_due_ = false;
  bool has_translated_ = false;
  bool has_published_ = false;
  translate::PartChanges pending_;
  std::optional<base::SteadyTime> batch_began_;
  std::optional<base::SteadyTime> names_wait_until_;
  std::deque<std::pair<std::uint64_t, base::SteadyTime>> on_the_way_;
  std::uint64_t names_revision_ = 0;
  std::uint64_t diagnostics_revision_ = 0;
  std::uint64_t unreadable_revision_ = 0;
  std::set<std::string> logged_;
  std::vector<std::string> port_problems_;
  std::vector<snapshot::EndpointDown> endpoints_down_;
  asio::steady_timer names_timer_;
  asio::steady_timer watch_timer_;
  asio::steady_timer log_timer_;
  bool is_log_due_ = false;
  base::Published<bool> is_ready_{false};
};

}  // namespace penstock::program
