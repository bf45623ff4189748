#pragma once
// Which endpoint a connection id of QUIC belongs to. One table for each stream, shared by the
// workers: a client whose address has changed lands on any of them. Any thread.
#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"

namespace penstock::base {

/// From 1 to 20 bytes (RFC 9000 section 17.2).
class ConnectionId {
 public:
  static constexpr std::size_t kLongest = 20;

  /// Nothing where there are less or more bytes.
  static std::optional<ConnectionId> of(std::string_view bytes);
  std::string_view bytes() const { return {bytes_.data(), size_}; }
  std::size_t size() const { return size_; }
  bool operator==(const ConnectionId&) const = default;

 private:
  ConnectionId() = default;

  std::array<char, kLongest> bytes_{};  // zero beyond the size
  std::uint8_t size_ = 0;
};

/// An id is *held* by each session that has to do with it, and is kept as long as one does. Then it
/// ages: each call forgets some of what was let go before the time that it gives, and when the
/// table is full the one that was let go first makes room. So nobody can displace what others hold.
class ConnectionIds {
 public:
  struct Known {
    ConnectionId id;
    TcpEndpoint endpoint;
  };

  /// Holds it where it is known.
  std::optional<Known> hold(std::string_view id, SteadyTime forget_before);
  /// Holds the longest one that these bytes begin with. Lengths that no known id has are not tried.
  std::optional<Known> hold_prefix(std::string_view bytes, SteadyTime forget_before);
  /// Holds it as that of an endpoint. The first endpoint has it: false where it is another's, or
  /// `most` are there and all of them held.
  bool learn(const ConnectionId& id, const TcpEndpoint& endpoint, std::size_t most,
             SteadyTime forget_before);
  /// Lets go of one that is held, which ages from now on.
  void release(const ConnectionId& id, SteadyTime now);
  /// Lets go of one that is held. Where nobody else holds it, it is gone.
  void forget(const ConnectionId& id);
  std::size_t size() const;

 private:
  struct Hash {
    std::size_t operator()(const ConnectionId& id) const;
  };
  using Released = std::list<ConnectionId>;
  struct Entry {
    TcpEndpoint endpoint;
    std::uint32_t holders = 0;
    SteadyTime released;         // where nobody holds it
    Released::iterator place{};  // the same
  };
  using Entries = std::unordered_map<ConnectionId, Entry, Hash>;

  std::optional<Known> hold_one(std::string_view id);
  void hold_entry(Entry& entry);
  void age(SteadyTime before);
  void erase_released_first();
  void erase(Entries::iterator at);

  mutable std::mutex mutex_;
  Entries entries_;
  Released released_;  // the one that was let go first comes first
  std::array<std::size_t, ConnectionId::kLongest + 1> of_size_{};  // how many there are
};

}  // namespace penstock::base
