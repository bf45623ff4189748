#pragma once
// The addresses of a set of names, kept fresh: each name is asked for again when its answer's TTL
// ends. Runs on the controller's thread.
//
// While the servers fail, the last good answer stays. A name that the servers say does not exist
// has no addresses: that is an answer, and ends the use of old ones.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/dns/resolver.h"

namespace penstock::dns {

struct NameTiming {
  std::chrono::milliseconds shortest{1'000};  // also what a TTL of zero counts as
  std::chrono::milliseconds longest{3'600'000};
  std::chrono::milliseconds not_found{
      5'000};  // until a name that does not exist is asked for again
  std::chrono::milliseconds longest_retry{30'000};  // the end of the doubling while servers fail
};

/// The resolver must outlive it.
class NameCache {
 public:
  using Addresses = std::vector<base::Address>;
  /// Sorted; empty when the name has come to have none, or none is known yet because the servers
  /// fail. Comes only when the set has changed, and when it is first known. May call set_names.
  using OnChange = std::function<void(const std::string& name, const Addresses& addresses)>;

  NameCache(asio::io_context& io, Resolver& resolver, OnChange on_change, NameTiming timing);
  NameCache(asio::io_context& io, Resolver& resolver, OnChange on_change)
      : NameCache(io, resolver, std::move(on_change), NameTiming()) {}
  NameCache(const NameCache&) = delete;
  NameCache& operator=(const NameCache&) = delete;
  ~NameCache();

  /// The names to follow from now on: new ones are asked for at once, others are forgotten.
  void set_names(const std::set<std::string>& names);

  /// Null when the name is not followed or nothing is known of it yet.
  const Addresses* find(const std::string& name) const;
  /// Of an SRV question; empty where nothing is known.
  std::vector<world::SrvTarget> targets_of(const std::string& name) const;
  /// The last failure of a name, for messages; nothing when its last answer was good.
  std::optional<Failure> failure_of(const std::string& name) const;

 private:
  struct Entry {
    explicit Entry(asio::io_context& io) : timer(io) {}
    asio::steady_timer timer;
    bool is_known = false;
    int failures = 0;
    std::optional<Failure> failure;
    Addresses addresses;
    std::vector<world::SrvTarget> targets;
  };

  void resolve(const std::string& name, const std::shared_ptr<Entry>& entry);
  void take(const std::string& name, const std::shared_ptr<Entry>& entry, ResolveResult result);
  void again(const std::string& name, const std::shared_ptr<Entry>& entry,
             std::chrono::milliseconds delay);
  void set_addresses(const std::string& name, const std::shared_ptr<Entry>& entry,
                     Addresses addresses, std::vector<world::SrvTarget> targets);
  void tell(const std::string& name, const std::shared_ptr<Entry>& entry);

  asio::io_context& io_;
  Resolver& resolver_;
  OnChange on_change_;
  NameTiming timing_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // owns: everyone else holds weak ones
};

}  // namespace penstock::dns
