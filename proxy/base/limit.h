#pragma once
// Limits that hold for the whole proxy, whichever worker a client lands on. One object for each
// stream, found by the stream's name, so that it outlives every swap of the table. Any thread.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/connection_ids.h"

namespace penstock::base {

/// How many there are now.
class SharedCount {
 public:
  bool try_enter(std::uint64_t most);
  void leave() { count_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint64_t get() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

/// How many each client address has now. Holds an entry only while that is not zero, so its size is
/// that of what is counted.
class AddressCounts {
 public:
  bool try_enter(const Address& address, std::uint32_t most);
  void leave(const Address& address);
  /// Addresses that are counted.
  std::size_t size() const;

 private:
  struct Hash {
    std::size_t operator()(const Address& address) const;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<Address, std::uint32_t, Hash> counts;
  };
  static constexpr std::size_t kShards = 16;
  Shard& shard_of(const Address& address) { return shards_[Hash()(address) / 7 % kShards]; }

  std::array<Shard, kShards> shards_;
};

/// So many a second, with one second's worth at once (the generic cell rate algorithm).
class SharedRate {
 public:
  bool admit(SteadyTime now, std::uint32_t per_second);

 private:
  std::atomic<std::int64_t> due_{0};  // nanoseconds: when the next one would be on time
};

/// A rate for each client address, in a table that never grows: an address has a cell in each of
/// several rows, chosen by a secret hash, and is refused only when all of them are over. So a flood
/// of made-up addresses costs no memory, and hardly ever slows down another address.
class AddressRates {
 public:
  bool admit(const Address& address, SteadyTime now, std::uint32_t per_second);

 private:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kCells = 8192;
  std::array<std::array<SharedRate, kCells>, kRows> rows_;
};

/// Of one stream. The tables are made when they are first needed.
class StreamLimits {
 public:
  SharedCount sessions;
  AddressCounts sessions_by_address;
  SharedRate rate;
  AddressRates& rates();
  /// No limit, but shared in the same way, and for as long.
  ConnectionIds& connection_ids();

 private:
  std::once_flag made_rates_;
  std::unique_ptr<AddressRates> rates_;
  std::once_flag made_ids_;
  std::unique_ptr<ConnectionIds> ids_;
};

/// One for the process.
class LimitTable {
 public:
  /// The same object for the same name, as long as somebody holds it.
  std::shared_ptr<StreamLimits> of(const std::string& name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<StreamLimits>> limits_;
};

/// Spreads addresses by a secret of this process: nobody outside can choose which ones collide.
std::uint64_t secret_hash(const Address& address, std::uint64_t salt);
/// The same of other bytes.
std::uint64_t secret_hash(std::string_view bytes);

}  // namespace penstock::base
