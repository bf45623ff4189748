#include "controller/kube/kube_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "proxy/base/log.h"

namespace penstock::kube {
namespace {

using objects::Kind;

constexpr std::size_t kFetchesAtOnce = 8;
constexpr std::string_view kAllSecrets = "";
/// Of lists, about a quarter of a minute with the usual back-off: a server that starts may refuse
/// for a moment what it will grant.
constexpr std::uint64_t kMostRefusals = 6;

objects::ObjectKey key_of(Kind kind, const std::string& path) {
  const auto slash = path.find('/');
  return {kind, path.substr(0, slash), path.substr(slash + 1)};
}

std::string path_of(const objects::ObjectKey& key) { return key.name_space + "/" + key.name; }

}  // namespace

KubeSource::KubeSource(asio::io_context& io, Client& client, Options options,
                       objects::SourceEvents events, Random random)
    : io_(io),
      client_(client),
      options_(std::move(options)),
      events_(std::move(events)),
      random_(std::move(random)),
      fetch_backoff_(options_.timing.first_retry, options_.timing.longest_retry, random_),
      fetch_timer_(io),
      refused_timer_(io) {}

void KubeSource::start() {
  for (const auto& info : objects::kKinds) {
    if (info.kind == Kind::kConfigMap || info.kind == Kind::kSecret) continue;
    if (info.kind == Kind::kNamespace && !options_.watches_namespaces) continue;
    if (info.kind == Kind::kStreamPortPolicy && !options_.watches_port_policies) continue;
    WatchTarget target;
    target.kind = info.kind;
    if (info.is_namespaced) target.name_space = options_.watch_namespace;
    if (info.kind == Kind::kReferenceGrant) {
      watch_grants(std::move(target));
      continue;
    }
    add_watcher(std::move(target), [this, kind = info.kind] { events_.on_synced(kind); });
  }
  config_maps_missing_ = options_.config_maps.size() + 1;
  for (const auto& path : options_.config_maps) {
    const auto key = key_of(Kind::kConfigMap, path);
    WatchTarget target;
    target.kind = Kind::kConfigMap;
    target.name_space = key.name_space;
    target.name = key.name;
    add_watcher(std::move(target), [this] { config_map_synced(); });
  }
  config_map_synced();
  if (!options_.watches_namespaces) events_.on_synced(Kind::kNamespace);
  if (!options_.watches_port_policies) events_.on_synced(Kind::kStreamPortPolicy);
  events_.on_synced(Kind::kSecret);  // by need: see has_settled
}

/// Another's kind, which need not be installed, and whose right an operator may not have given.
void KubeSource::watch_grants(WatchTarget target) {
  objects::SourceEvents events;
  events.on_change = [this](objects::Change change) { events_.on_change(std::move(change)); };
  events.on_synced = events_.on_synced;
  events.on_settled = [this, place = watchers_.size()] {
    const auto& watcher = *watchers_[place];
    if (watcher.is_synced() || watcher.counters().refused_lists != kMostRefusals) return;
    base::log::error("no right to list ReferenceGrants: until there is, none counts");
    events_.on_synced(Kind::kReferenceGrant);
  };
  add_watcher(std::move(target), std::move(events));
}

void KubeSource::config_map_synced() {
  if (--config_maps_missing_ == 0) events_.on_synced(Kind::kConfigMap);
}

void KubeSource::add_watcher(WatchTarget target, std::function<void()> on_synced) {
  objects::SourceEvents events;
  events.on_change = [this](objects::Change change) { events_.on_change(std::move(change)); };
  events.on_synced = [on_synced = std::move(on_synced)](Kind) { on_synced(); };
  add_watcher(std::move(target), std::move(events));
}

Watcher* KubeSource::add_watcher(WatchTarget target, objects::SourceEvents events) {
  watchers_.push_back(std::make_unique<Watcher>(io_, client_, std::move(target), std::move(events),
                                                random_, options_.timing));
  watchers_.back()->start();
  return watchers_.back().get();
}

std::optional<std::string> KubeSource::watch_of(const std::string& path) const {
  const auto& names = options_.secret_namespaces;
  const auto name_space = key_of(Kind::kSecret, path).name_space;
  if (std::ranges::find(names, name_space) != names.end()) return name_space;
  const auto& served = options_.watch_namespace;
  if (names.empty() && (served.empty() || name_space == served)) return std::string(kAllSecrets);
  const auto& named = options_.named_secrets;
  if (std::ranges::find(named, path) != named.end()) return path;
  return std::nullopt;
}

void KubeSource::start_secrets(const std::string& watch) {
  WatchTarget target;
  target.kind = Kind::kSecret;
  if (const auto slash = watch.find('/'); slash != std::string::npos) {
    target.name_space = watch.substr(0, slash);
    target.name = watch.substr(slash + 1);
  } else {
    target.name_space = watch == kAllSecrets ? options_.watch_namespace : watch;
    target.field_selector = "type!=helm.sh/release.v1";
  }
  objects::SourceEvents events;
  events.on_change = [this](objects::Change change) { take_secret(std::move(change)); };
  events.on_synced = [this](Kind) { events_.on_settled(); };
  events.on_settled = [this, watch] { note_refusal(watch); };
  secrets_[watch] = add_watcher(std::move(target), std::move(events));
}

void KubeSource::note_refusal(const std::string& watch) {
  if (watch == kAllSecrets) return;
  const auto& watcher = *secrets_.at(watch);
  if (watcher.is_synced() || watcher.counters().refused_lists != kMostRefusals) return;
  const bool is_one = watch.find('/') != std::string::npos;
  base::log::error("no right to list {} {}: {} until there is",
                   is_one ? "Secret" : "the Secrets of", watch,
                   is_one ? "its changes are not seen" : "they count as absent");
  // The right to get it may be there.
  if (is_one && wanted_.contains(watch)) to_fetch_.push_back(watch);
  fetch_next();
  events_.on_settled();
}

bool KubeSource::has_told(const std::string& watch, const Watcher& watcher) const {
  return watcher.is_synced() ||
         (watch != kAllSecrets && watcher.counters().refused_lists >= kMostRefusals);
}

void KubeSource::change_wanted_secrets(const objects::WantedChange& change) {
  for (const auto& path : change.ceased) withdraw(path);
  std::set<std::string> begun;
  for (const auto& path : change.begun) {
    if (!wanted_.insert(path).second) continue;
    const auto watch = watch_of(path);
    if (!watch) continue;
    if (!secrets_.contains(*watch)) {
      start_secrets(*watch);
      begun.insert(*watch);
    }
    if (!begun.contains(*watch)) to_fetch_.push_back(path);
  }
  fetch_next();
}

void KubeSource::withdraw(const std::string& path) {
  wanted_.erase(path);
  forget_refused(path);
  fetching_.erase(path);
  std::erase(to_fetch_, path);
  if (delivered_.erase(path) != 0) events_.on_change({key_of(Kind::kSecret, path), true, {}, {}});
}

void KubeSource::take_secret(objects::Change change) {
  const auto path = path_of(change.key);
  if (!wanted_.contains(path)) return;
  fetching_.erase(path);  // its answer could be older than this
  forget_refused(path);
  std::erase(to_fetch_, path);
  if (change.is_removed) {
    delivered_.erase(path);
  } else {
    delivered_.insert(path);
  }
  events_.on_change(std::move(change));
  events_.on_settled();
}

void KubeSource::fetch_next() {
  while (!is_fetch_paused_ && !to_fetch_.empty() && fetching_.size() < kFetchesAtOnce) {
    const auto path = std::move(to_fetch_.front());
    to_fetch_.pop_front();
    fetching_[path] =
        client_.get(object_path(key_of(Kind::kSecret, path)),
                    [this, path](Response response) { take_fetched(path, std::move(response)); });
  }
}

void KubeSource::take_fetched(const std::string& path, Response response) {
  // The call is dropped last: this runs inside of it.
  const auto call = fetching_.extract(path);
  if (response.is_ok() || response.status == 404) fetch_refused_of(path);
  if (response.is_ok()) {
    fetch_backoff_.reset();
    delivered_.insert(path);
    events_.on_change({key_of(Kind::kSecret, path), false, std::move(response.body), {}});
  } else if (response.status == 403 && watch_of(path) != kAllSecrets) {
    fetch_later(path, response);
  } else if (response.status != 404) {
    const auto delay = fetch_backoff_.next(response.retry_after);
    base::log::warn("Secret {}: {}; trying again in {} ms", path, response.failure_text(),
                    delay.count());
    to_fetch_.push_back(path);
    is_fetch_paused_ = true;
    fetch_timer_.after(delay, [this] {
      is_fetch_paused_ = false;
      fetch_next();
    });
    return;
  }
  fetch_next();
  events_.on_settled();
}

/// Others go first: a right that one namespace lacks is not theirs to wait for.
void KubeSource::fetch_later(const std::string& path, const Response& response) {
  base::log::warn("Secret {}: {}; trying again in a while", path, response.failure_text());
  if (refused_.empty()) ask_again_later();
  refused_[*watch_of(path)].insert(path);
}

void KubeSource::ask_again_later() {
  refused_timer_.after(options_.timing.longest_retry, [this] {
    std::vector<std::string> first;
    for (const auto& [watch, paths] : refused_) first.push_back(*paths.begin());
    for (const auto& path : first) {
      forget_refused(path);
      to_fetch_.push_back(path);
    }
    if (!refused_.empty()) ask_again_later();
    fetch_next();
  });
}

void KubeSource::fetch_refused_of(const std::string& path) {
  if (refused_.empty()) return;
  const auto found = refused_.extract(watch_of(path).value_or(""));
  if (found) to_fetch_.insert(to_fetch_.end(), found.mapped().begin(), found.mapped().end());
}

void KubeSource::forget_refused(const std::string& path) {
  const auto found = refused_.find(watch_of(path).value_or(""));
  if (found == refused_.end()) return;
  found->second.erase(path);
  if (found->second.empty()) refused_.erase(found);
}

bool KubeSource::has_settled() const {
  if (wanted_.empty()) return true;
  return to_fetch_.empty() && fetching_.empty() &&
         std::ranges::all_of(secrets_, [this](const auto& each) {
           return has_told(each.first, *each.second);
         });
}

std::vector<objects::WatchStatus> KubeSource::status() const {
  std::vector<objects::WatchStatus> out;
  for (const auto& watcher : watchers_) {
    const auto& counters = watcher->counters();
    out.push_back({watcher->target().kind, counters.lists, counters.restarts, counters.failures,
                   watcher->disconnected_since()});
  }
  return out;
}

}  // namespace penstock::kube
