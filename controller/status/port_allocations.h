#pragma once
// Gives ports to listeners of TCPServices and UDPServices that take any, where a StreamPortPolicy
// has autoAllocate. From the status, into which they are written, every replica serves them. Pure.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/translate/diagnostic.h"
#include "controller/translate/options.h"
#include "controller/translate/stream_port.h"
#include "controller/translate/translator.h"
#include "controller/world/world.h"

namespace penstock::status {

/// Ports that were given to listeners and stand in no status yet, by the object's uid and the
/// listener's name. While a replica leads it is the only one that gives any.
class PortAllocations {
 public:
  /// Gives a port to each listener of the object that takes any and has none, or has one that it
  /// may not open, or somebody else does. Tells `diagnostics`, those of the object, where no policy
  /// has one free for the namespace.
  template <class T>
  void give(const world::World& world, const translate::Translator& translator,
            const translate::Transport& transport, const T& service,
            std::vector<translate::Diagnostic>& diagnostics);
  /// Forgets what was given to objects that `give` was not called for since the last time.
  void end_round();
  /// What a listener was given, or has by its status; 0: nothing.
  std::uint16_t port_of(const std::string& uid, const objects::StreamListener& listener) const;
  void clear() { given_.clear(); }

 private:
  struct Given {
    std::string name_space;
    objects::Protocol protocol = objects::Protocol::kTcp;
    std::uint16_t port = 0;
  };
  /// Ports of the protocol that are given.
  std::set<std::uint16_t> given(objects::Protocol protocol) const;
  /// The namespace has, or is about to have, as many ports of the policy as it may.
  bool is_full(translate::Reader& reader, const translate::Options& options,
               const objects::StreamPortPolicy& policy, const std::string& name_space);
  /// Nothing: no policy gives any; 0: none is free.
  std::optional<std::uint16_t> find_free(const world::World& world,
                                         const translate::Translator& translator,
                                         const translate::Transport& transport,
                                         const objects::Meta& meta, const std::string& listener);

  std::map<std::pair<std::string, std::string>, Given> given_;
  // In this round:
  std::set<std::string> seen_;                                        // uids
  std::map<std::pair<std::string, std::string>, std::size_t> asked_;  // by policy and namespace
  std::set<std::pair<objects::Protocol, std::string>> exhausted_;     // namespaces without a port
};

}  // namespace penstock::status
