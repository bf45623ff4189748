#pragma once
// Lengths of time and sizes as users write them.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace penstock::base {

/// The unit of every time in a snapshot.
using Duration = std::chrono::milliseconds;

/// Number of bytes; a type of its own so that it is never mixed with a count. Zero often means "no
/// limit": the field that holds it says so.
struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

/// nginx time: "30", "30s", "1m 30s", "500ms", "1h"; a bare number is seconds.
Result<Duration> parse_nginx_time(std::string_view text);
/// Go and Kubernetes duration: "1m30s", "500ms"; every number needs its unit.
Result<Duration> parse_go_duration(std::string_view text);
/// nginx size: "8k", "1m", "2g", "1024"; a suffix of either case.
Result<ByteSize> parse_byte_size(std::string_view text);

/// "600s", "250ms": the shortest exact form.
std::string format_duration(Duration duration);
std::string format_byte_size(ByteSize size);

}  // namespace penstock::base
