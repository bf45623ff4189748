#include "controller/dns/name_cache.h"

#include <algorithm>

#include "proxy/base/log.h"

namespace penstock::dns {

NameCache::NameCache(asio::io_context& io, Resolver& resolver, OnChange on_change,
                     NameTiming timing)
    : io_(io), resolver_(resolver), on_change_(std::move(on_change)), timing_(timing) {}

NameCache::~NameCache() = default;

void NameCache::set_names(const std::set<std::string>& names) {
  std::erase_if(entries_, [&](const auto& entry) { return !names.contains(entry.first); });
  for (const auto& name : names) {
    auto& entry = entries_[name];
    if (entry) continue;
    entry = std::make_shared<Entry>(io_);
    resolve(name, entry);
  }
}

const NameCache::Addresses* NameCache::find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end() || !found->second->is_known) return nullptr;
  return &found->second->addresses;
}

std::vector<world::SrvTarget> NameCache::targets_of(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::vector<world::SrvTarget>() : found->second->targets;
}

std::optional<Failure> NameCache::failure_of(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? std::nullopt : found->second->failure;
}

void NameCache::resolve(const std::string& name, const std::shared_ptr<Entry>& entry) {
  // An entry that is gone was dropped with its name or with this cache: nothing may be touched.
  resolver_.resolve(name, [this, name, weak = std::weak_ptr(entry)](ResolveResult result) {
    if (const auto live = weak.lock()) take(name, live, std::move(result));
  });
}

void NameCache::take(const std::string& name, const std::shared_ptr<Entry>& entry,
                     ResolveResult result) {
  if (result) {
    entry->failures = 0;
    entry->failure.reset();
    again(name, entry,
          std::clamp<std::chrono::milliseconds>(result->ttl, timing_.shortest, timing_.longest));
    return set_addresses(name, entry, std::move(result->addresses), std::move(result->targets));
  }
  if (entry->failure != result.error()) {
    base::log::warn("DNS: {}: {}", name, to_string(result.error()));
    entry->failure = result.error();
  }
  if (result.error() == Failure::kNotFound) {
    entry->failures = 0;
    again(name, entry, timing_.not_found);
    return set_addresses(name, entry, {}, {});
  }
  const auto delay = timing_.shortest * (1LL << std::min(entry->failures++, 20));
  again(name, entry, std::min<std::chrono::milliseconds>(delay, timing_.longest_retry));
  if (!entry->is_known && entry->failures == 1) tell(name, entry);
}

void NameCache::again(const std::string& name, const std::shared_ptr<Entry>& entry,
                      std::chrono::milliseconds delay) {
  entry->timer.expires_after(delay);
  entry->timer.async_wait([this, name, weak = std::weak_ptr(entry)](base::error_code code) {
    const auto live = weak.lock();
    if (live && !code) resolve(name, live);
  });
}

void NameCache::set_addresses(const std::string& name, const std::shared_ptr<Entry>& entry,
                              Addresses addresses, std::vector<world::SrvTarget> targets) {
  const bool is_first = !std::exchange(entry->is_known, true);
  if (!is_first && entry->addresses == addresses && entry->targets == targets) return;
  entry->addresses = std::move(addresses);
  entry->targets = std::move(targets);
  tell(name, entry);
}

void NameCache::tell(const std::string& name, const std::shared_ptr<Entry>& entry) {
  // Copies: the callback may change the set of names, or drop this cache.
  const auto changed = entry->addresses;
  const auto text = name;
  const auto on_change = on_change_;
  on_change(text, changed);
}

}  // namespace penstock::dns
