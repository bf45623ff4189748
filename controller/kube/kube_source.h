#pragma once
// The Kubernetes API as the source of all objects: one watch for each kind, one for each ConfigMap
// that is read by name, and Secrets by need.
//
// Secrets: a watch of each wanted one would be thousands of connections, so one watch covers all of
// them (without Helm's), and of those that nobody wants only the resource version is kept. It
// begins with the first set of wanted Secrets; one that is wanted later is fetched.
// Where only some namespaces' Secrets may be read, each of these has such a watch, which begins
// with the first Secret that is wanted of it. A right that is missing in one of them keeps nobody
// else from being served: after a while its Secrets count as absent. The same goes for
// ReferenceGrants, without which nothing is permitted.
// Runs on the controller's thread.
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/kube/watch.h"

namespace penstock::kube {

class KubeSource final : public objects::Source {
 public:
  struct Options {
    std::string watch_namespace;           // empty: all
    bool watches_namespaces = false;       // Namespace objects: where their labels decide
    bool watches_port_policies = false;    // StreamPortPolicies: without, there are none
    std::vector<std::string> config_maps;  // paths "namespace/name"
    /// Secrets are read in these alone; empty: wherever the other kinds are.
    std::vector<std::string> secret_namespaces;
    /// But for these paths: outside of the namespaces that are read each has a watch of its own.
    std::vector<std::string> named_secrets;
    WatchTiming timing{.absent_kind_retry = std::chrono::seconds(10)};
  };
  KubeSource(asio::io_context& io, Client& client, Options options, objects::SourceEvents events,
             Random random);

  void start() override;
  void change_wanted_secrets(const objects::WantedChange& change) override;
  bool has_settled() const override;
  std::string where(const objects::ObjectKey&, std::string_view) const override { return {}; }
  std::vector<objects::WatchStatus> status() const override;

 private:
  void add_watcher(WatchTarget target, std::function<void()> on_synced);
  Watcher* add_watcher(WatchTarget target, objects::SourceEvents events);
  void watch_grants(WatchTarget target);
  void config_map_synced();
  /// The watch that sees a Secret: kAllSecrets, a namespace or a path. Nothing where it may not be
  /// read.
  std::optional<std::string> watch_of(const std::string& path) const;
  void start_secrets(const std::string& watch);
  void note_refusal(const std::string& watch);
  bool has_told(const std::string& watch, const Watcher& watcher) const;
  void take_secret(objects::Change change);
  void fetch_next();
  void take_fetched(const std::string& path, Response response);
  void fetch_later(const std::string& path, const Response& response);
  void ask_again_later();
  void fetch_refused_of(const std::string& path);
  void forget_refused(const std::string& path);
  void withdraw(const std::string& path);

  asio::io_context& io_;
  Client& client_;
  Options options_;
  objects::SourceEvents events_;
  Random random_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::size_t config_maps_missing_ = 0;

  std::map<std::string, Watcher*> secrets_;  // see watch_of
  std::set<std::string> wanted_;
  std::set<std::string> delivered_;  // Secrets that the consumer has
  std::deque<std::string> to_fetch_;
  std::map<std::string, Call> fetching_;
  Backoff fetch_backoff_;
  OneTimer fetch_timer_;
  bool is_fetch_paused_ = false;
  /// Paths that may not be fetched, by their watch. While there are any, the timer is on; then one
  /// of each watch is tried, and where that is answered the others follow.
  std::map<std::string, std::set<std::string>> refused_;
  OneTimer refused_timer_;
};

}  // namespace penstock::kube
