#include "proxy/base/frame_pool.h"

#include <array>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PENSTOCK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PENSTOCK_SANITIZED 1
#endif
#endif

namespace penstock::base {

#ifdef PENSTOCK_SANITIZED

void* allocate_frame(std::size_t size) { return ::operator new(size); }
void release_frame(void* frame, std::size_t size) noexcept { ::operator delete(frame, size); }

#else

namespace {

constexpr std::size_t kStep = 128;
constexpr std::size_t kClasses = 64;    // frames up to 8 KiB
constexpr std::size_t kMaxKept = 4096;  // per class; beyond it memory goes back to the heap

struct Free {
  Free* next;
};

struct Pool {
  std::array<Free*, kClasses> heads{};
  std::array<std::size_t, kClasses> kept{};

  ~Pool() {
    for (auto* head : heads) {
      while (head != nullptr) {
        auto* next = head->next;
        ::operator delete(head);
        head = next;
      }
    }
  }
};

thread_local Pool pool;

constexpr std::size_t class_of(std::size_t size) { return (size + kStep - 1) / kStep - 1; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const auto index = class_of(size);
  if (index >= kClasses) return ::operator new(size);
  auto*& head = pool.heads[index];
  if (head == nullptr) return ::operator new((index + 1) * kStep);
  auto* frame = head;
  head = frame->next;
  --pool.kept[index];
  return frame;
}

void release_frame(void* frame, std::size_t size) noexcept {
  const auto index = class_of(size);
  if (index >= kClasses || pool.kept[index] >= kMaxKept) {
    ::operator delete(frame);
    return;
  }
  auto* free = static_cast<Free*>(frame);
  free->next = pool.heads[index];
  pool.heads[index] = free;
  ++pool.kept[index];
}

#endif

}  // namespace penstock::base
