#include "proxy/base/limit.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "proxy/base/ip_net.h"

namespace penstock::base {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

/// splitmix64's mixer.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9ULL;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

std::uint64_t secret() {
  static const auto kSecret = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }();
  return kSecret;
}

std::int64_t nanoseconds(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::uint64_t secret_hash(const Address& given, std::uint64_t salt) {
  const auto address = unmapped(given);
  auto hash = mixed(secret() ^ salt);
  if (address.is_v4()) return mixed(hash ^ address.to_v4().to_uint());
  const auto bytes = address.to_v6().to_bytes();
  std::array<std::uint64_t, 2> halves;
  std::memcpy(halves.data(), bytes.data(), sizeof halves);
  for (const auto half : halves) hash = mixed(hash ^ half);
  return hash;
}

std::uint64_t secret_hash(std::string_view bytes) {
  auto hash = mixed(secret() ^ bytes.size());
  while (!bytes.empty()) {
    std::uint64_t part = 0;
    const auto size = std::min(bytes.size(), sizeof part);
    std::memcpy(&part, bytes.data(), size);
    hash = mixed(hash ^ part);
    bytes.remove_prefix(size);
  }
  return hash;
}

bool SharedCount::try_enter(std::uint64_t most) {
  auto count = count_.load(std::memory_order_relaxed);
  do {
    if (count >= most) return false;
  } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
  return true;
}

std::size_t AddressCounts::Hash::operator()(const Address& address) const {
  return secret_hash(address, 0);
}

bool AddressCounts::try_enter(const Address& address, std::uint32_t most) {
  auto& shard = shard_of(address);
  const std::lock_guard lock(shard.mutex);
  auto& count = shard.counts[address];
  if (count < most) {
    ++count;
    return true;
  }
  if (count == 0) shard.counts.erase(address);
  return false;
}

void AddressCounts::leave(const Address& address) {
  auto& shard = shard_of(address);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.counts.find(address);
  if (found != shard.counts.end() && --found->second == 0) shard.counts.erase(found);
}

std::size_t AddressCounts::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.counts.size();
  }
  return sum;
}

bool SharedRate::admit(SteadyTime now, std::uint32_t per_second) {
  if (per_second == 0) return false;
  const auto time = nanoseconds(now);
  const auto interval = std::max<std::int64_t>(kSecond / per_second, 1);
  auto due = due_.load(std::memory_order_relaxed);
  for (;;) {
    const auto next = std::max(due, time) + interval;
    if (next - time > kSecond) return false;
    if (due_.compare_exchange_weak(due, next, std::memory_order_relaxed)) return true;
  }
}

bool AddressRates::admit(const Address& address, SteadyTime now, std::uint32_t per_second) {
  bool is_admitted = false;
  for (std::size_t row = 0; row < kRows; ++row) {
    auto& cell = rows_[row][secret_hash(address, row + 1) % kCells];
    is_admitted |= cell.admit(now, per_second);
  }
  return is_admitted;
}

AddressRates& StreamLimits::rates() {
  std::call_once(made_rates_, [this] { rates_ = std::make_unique<AddressRates>(); });
  return *rates_;
}

ConnectionIds& StreamLimits::connection_ids() {
  std::call_once(made_ids_, [this] { ids_ = std::make_unique<ConnectionIds>(); });
  return *ids_;
}

std::shared_ptr<StreamLimits> LimitTable::of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(limits_, [](const auto& each) { return each.second.expired(); });
  auto& place = limits_[name];
  auto found = place.lock();
  if (!found) place = found = std::make_shared<StreamLimits>();
  return found;
}

}  // namespace penstock::base
