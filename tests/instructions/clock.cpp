// The clock of this program, in place of the C library's: how many ticks of a wheel pass while a
// path runs, and how many digits a time has, must not depend on the machine. Each look at it is 25
// microseconds later, so that a worker sees about ten thousand requests a second.
#include <ctime>

namespace {

constexpr long kStep = 25'000;
constexpr long kSecond = 1'000'000'000;
constexpr std::time_t kBegin = 1'767'225'600;
long passed = 0;

}  // namespace

extern "C" int clock_gettime(clockid_t, timespec* now) noexcept {
  passed += kStep;
  now->tv_sec = kBegin + passed / kSecond;
  now->tv_nsec = passed % kSecond;
  return 0;
}
