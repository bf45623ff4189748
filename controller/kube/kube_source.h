#pragma once
// The Kubernetes API as the source of all objects: one watch for each kind, one for each ConfigMap
// that is read by name, and Secrets by need.
//
// Secrets: a watch of each wanted one would be thousands of connections, so one watch covers all of
// them (without Helm's), and of those that nobody wants only the resource version is kept. It
// begins with the first set of wanted Secrets; one that is wanted later is fetched.
// Runs on the controller's thread.
#include <deque>
#include <map>
#include <memory>
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
  void config_map_synced();
  void start_secrets();
  void take_secret(objects::Change change);
  void fetch_next();
  void take_fetched(const std::string& path, Response response);
  void withdraw(const std::string& path);

  asio::io_context& io_;
  Client& client_;
  Options options_;
  objects::SourceEvents events_;
  Random random_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::size_t config_maps_missing_ = 0;

  Watcher* secrets_ = nullptr;
  std::set<std::string> wanted_;
  std::set<std::string> delivered_;  // Secrets that the consumer has
  std::set<std::string> known_absent_;
  std::deque<std::string> to_fetch_;
  std::map<std::string, Call> fetching_;
  Backoff fetch_backoff_;
  OneTimer fetch_timer_;
  bool is_fetch_paused_ = false;
};

}  // namespace penstock::kube
