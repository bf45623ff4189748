#pragma once
// Counts who is inside and lets an owner wait until all have left: how a worker ends its
// connections before it goes. Single-threaded. After `Gate::close` starts, `try_enter` refuses.
#include <cstddef>
#include <optional>
#include <utility>

#include "proxy/base/event.h"
#include "proxy/base/task.h"

namespace penstock::base {

class Gate {
 public:
  class Pass {
   public:
    Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }

   private:
    friend class Gate;
    explicit Pass(Gate* gate) noexcept : gate_(gate) {}
    Gate* gate_;
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  std::optional<Pass> try_enter() {
    if (is_closed_) return std::nullopt;
    ++inside_;
    return Pass(this);
  }
  std::size_t inside() const noexcept { return inside_; }
  bool is_closed() const noexcept { return is_closed_; }

  /// Refuses new passes and returns when the last one is gone.
  Task<void> close() {
    is_closed_ = true;
    if (inside_ > 0) co_await empty_;
  }

 private:
  void leave() {
    if (--inside_ == 0 && is_closed_) empty_.set();
  }

  std::size_t inside_ = 0;
  bool is_closed_ = false;
  Event empty_;
};

}  // namespace penstock::base
