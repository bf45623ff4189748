#pragma once
// Tells callgrind what to count. Outside of valgrind all of this does nothing.
#include <valgrind/callgrind.h>

namespace penstock::instructions {

/// What runs while it lives is counted.
class Collecting {
 public:
  Collecting() { CALLGRIND_TOGGLE_COLLECT; }
  ~Collecting() { CALLGRIND_TOGGLE_COLLECT; }
  Collecting(const Collecting&) = delete;
  Collecting& operator=(const Collecting&) = delete;
};

/// Pools are filled and strings have their size before anything is counted.
inline constexpr int kWarmUp = 50;

/// Callgrind's slow mode begins here: what was set up before ran faster without it.
inline void begin() { CALLGRIND_START_INSTRUMENTATION; }

/// For the compiler: `value` is used.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

template <class Operation>
void measure(int times, Operation operation) {
  begin();
  for (int i = 0; i < kWarmUp; ++i) operation();
  const Collecting collecting;
  for (int i = 0; i < times; ++i) operation();
}

}  // namespace penstock::instructions
