#pragma once
// One coroutine waits, another (on the same thread) signals. The signal is remembered, so the
// order of wait and set does not matter. Reusable after `clear`.
#include <coroutine>
#include <utility>

namespace penstock::base {

class Event {
 public:
  bool is_set() const noexcept { return set_; }
  void clear() noexcept { set_ = false; }

  /// Resumes the waiter in place, so the caller must be ready for anything the waiter does.
  void set() {
    set_ = true;
    if (auto waiter = std::exchange(waiter_, {})) waiter.resume();
  }

  auto operator co_await() noexcept {
    struct Awaiter {
      Event& event;
      bool await_ready() const noexcept { return event.set_; }
      void await_suspend(std::coroutine_handle<> waiter) const noexcept { event.waiter_ = waiter; }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  bool set_ = false;
  std::coroutine_handle<> waiter_;
};

}  // namespace penstock::base
