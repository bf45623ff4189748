#pragma once
// What this process uses of the machine, read when a scrape asks: the original's nginx_process_*.
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/telemetry/families.h"

namespace penstock::telemetry {

/// Bytes. As in proc(5), statm.
struct ProcessMemory {
  std::uint64_t virtual_size = 0;
  std::uint64_t resident = 0;
};
std::optional<ProcessMemory> parse_statm(std::string_view text, std::uint64_t page_size);
/// Clock ticks after boot, field 22 of proc(5), stat. The name of the process before it may hold
/// anything.
std::optional<std::uint64_t> parse_start_ticks(std::string_view stat);

/// What cannot be read is left out.
void add_process(Families& out);

}  // namespace penstock::telemetry
