#pragma once
// A small value that one thread writes and any thread reads: what a status page shows.
#include <atomic>

namespace penstock::base {

template <class T>
class Published {
 public:
  explicit Published(T value = {}) : value_(value) {}
  void set(T value) { value_.store(value, std::memory_order_release); }
  T get() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<T> value_;
};

}  // namespace penstock::base
