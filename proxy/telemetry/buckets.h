#pragma once
#include <array>
#include <cstdint>

namespace penstock::telemetry {

inline constexpr std::size_t kMostBuckets = 11;

// Milliseconds, and bytes; a bucket holds what is at most its bound. Those of ingress-nginx.
inline constexpr std::array<std::uint64_t, kMostBuckets> kTimes = {5,   10,   25,   50,   100,  250,
                                                                   500, 1000, 2500, 5000, 10000};
inline constexpr std::array<std::uint64_t, 10> kLengths = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100};
inline constexpr std::array<std::uint64_t, 7> kSizes = {10,      100,       1'000,     10'000,
                                                        100'000, 1'000'000, 10'000'000};

}  // namespace penstock::telemetry
