#pragma once
// `co_await pause(time)`: waits on the wheel of deadlines, up to two ticks longer than asked for.
#include <coroutine>
#include <utility>

#include "proxy/net/reactor.h"

namespace penstock::net {

/// One wait at a time. Lives in the frame of the coroutine that waits.
class Pause final : public Closable {
 public:
  explicit Pause(Reactor& reactor) : reactor_(reactor), deadline_(reactor.wheel(), *this) {}

  auto operator()(base::Duration time) {
    struct Awaiter {
      Pause& pause;
      base::Duration time;
      bool await_ready() const { return time <= base::Duration::zero(); }
      void await_suspend(std::coroutine_handle<> caller) const {
        pause.waiter_ = caller;
        pause.deadline_.expire_in(time);
      }
      void await_resume() const {}
    };
    return Awaiter{*this, time};
  }

 private:
  /// From the sweep of the wheel: the waiter runs in the next turn, not from within it.
  void close() override {
    if (auto waiter = std::exchange(waiter_, {})) reactor_.schedule(waiter);
  }

  Reactor& reactor_;
  Deadline deadline_;
  std::coroutine_handle<> waiter_;
};

}  // namespace penstock::net
