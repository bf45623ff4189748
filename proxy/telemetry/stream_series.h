#pragma once
// What one worker counts of one TCP or UDP port.
#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>

#include "proxy/base/duration.h"
#include "proxy/base/end_reason.h"
#include "proxy/telemetry/counter.h"

namespace penstock::telemetry {

/// The port, and the object that has it.
struct StreamLabels {
  std::string stream;      // "tcp/5432"
  std::string name_space;  // of a ConfigMap's entry: of the Service that it leads to
  std::string name;

  auto operator<=>(const StreamLabels&) const = default;
};

// Milliseconds; a bucket holds what is at most its bound.
inline constexpr std::array<std::uint64_t, 10> kConnectTimes = {1,  2,   5,   10,   25,
                                                                50, 100, 500, 1000, 5000};
inline constexpr std::array<std::uint64_t, 10> kSessionTimes = {
    10, 100, 1000, 10'000, 60'000, 300'000, 1'800'000, 3'600'000, 21'600'000, 86'400'000};

template <std::size_t N>
struct TimeHistogram {
  std::array<Counter, N + 1> buckets;
  Counter sum;  // milliseconds

  void observe(std::span<const std::uint64_t, N> bounds, base::Duration time) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
    buckets[static_cast<std::size_t>(std::ranges::lower_bound(bounds, value) - bounds.begin())]
        .add();
    sum.add(value);
  }
};

struct StreamSeries {
  std::array<Counter, base::kEndReasons> ended;  // sessions, by the reason
  Counter active;
  Counter bytes_received;  // from clients, counted as they come
  Counter bytes_sent;
  Counter dropped;  // datagrams
  TimeHistogram<kConnectTimes.size()> connect_time;
  TimeHistogram<kSessionTimes.size()> duration;

  void end(base::EndReason reason, base::Duration time) {
    ended[static_cast<std::size_t>(reason)].add();
    duration.observe(kSessionTimes, time);
  }
};

}  // namespace penstock::telemetry
