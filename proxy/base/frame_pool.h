#pragma once
// Memory for coroutine frames: per-thread free lists by size, so that a connection that comes and
// goes costs no trip to the heap. A frame must be freed on the thread that made it, which holds
// because a connection never leaves its worker. Sanitizer builds go to the heap directly, so that
// a use after free is seen.
#include <cstddef>

namespace penstock::base {

void* allocate_frame(std::size_t size);
void release_frame(void* frame, std::size_t size) noexcept;

}  // namespace penstock::base
