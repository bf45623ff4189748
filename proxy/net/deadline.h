#pragma once
// Timeouts without a timer operation per request. A connection owns one Deadline for its whole
// life; each phase only moves the time, which is one store. The worker's loop wakes at the next
// tick of a wheel of 50 ms slots and closes the sockets of those that are due, which ends their
// pending operation. Everything here belongs to one worker.
#include <array>
#include <chrono>
#include <cstddef>

#include "proxy/base/clock.h"
#include "proxy/base/duration.h"

namespace penstock::net {

class DeadlineWheel;

/// What is closed when time is up.
class Closable {
 public:
  virtual void close() = 0;
  /// Asked when time is up: true where something still moves, which gives it the same time again.
  virtual bool is_moving() { return false; }

 protected:
  ~Closable() = default;
};

class Deadline {
 public:
  Deadline(DeadlineWheel& wheel, Closable& target) : wheel_(&wheel), target_(&target) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { unlink(); }

  /// From now; a later call replaces an earlier one. Zero or less means "no limit".
  void expire_in(base::Duration duration);
  void cancel() { is_armed_ = false; }
  /// True once the target was closed by this deadline.
  bool has_expired() const { return has_expired_; }

 private:
  friend class DeadlineWheel;
  void unlink();

  DeadlineWheel* wheel_;
  Closable* target_;
  base::SteadyTime at_;
  base::SteadyTime slot_time_;
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
  base::Duration duration_{0};
  std::uint32_t slot_ = 0;
  bool is_linked_ = false;
  bool is_armed_ = false;
  bool has_expired_ = false;
};

class DeadlineWheel {
 public:
  explicit DeadlineWheel(const base::CoarseClock& clock) : clock_(clock) {}
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;

  /// Accuracy: a deadline fires up to one tick late.
  static constexpr std::chrono::milliseconds kTick{50};

  /// Fires what is due at `now`. Called by the loop, and by tests.
  void sweep(base::SteadyTime now);
  /// How long the loop may sleep: negative where nothing is linked.
  base::Duration until_next_tick(base::SteadyTime now) const;

 private:
  friend class Deadline;
  static constexpr std::size_t kSlots = 512;

  void link(Deadline& deadline);
  void fire(Deadline& deadline, base::SteadyTime now);
  static std::uint32_t slot_of(base::SteadyTime time) {
    return static_cast<std::uint32_t>(time.time_since_epoch() / kTick) % kSlots;
  }

  const base::CoarseClock& clock_;
  std::array<Deadline*, kSlots> slots_{};
  base::SteadyTime swept_until_ = std::chrono::steady_clock::now();
  std::size_t linked_ = 0;
};

}  // namespace penstock::net
