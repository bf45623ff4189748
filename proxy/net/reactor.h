#pragma once
// The loop of one worker: edge-triggered epoll, resumed coroutines, deadlines, and work posted by
// other threads. docs/adr/0008 says why the data path does not run on Asio's loop.
//
// Everything but `post` belongs to the thread that calls `run`.
#include <sys/epoll.h>

#include <array>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/descriptor.h"
#include "proxy/base/mailbox.h"
#include "proxy/net/deadline.h"

namespace penstock::net {

/// Something with a descriptor that the kernel has news of.
class Watched : public Closable {
 public:
  /// EPOLLIN and the like. May destroy this object.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~Watched() = default;
};

class Reactor {
 public:
  /// Throws std::system_error where the kernel gives no epoll: a failure of start-up.
  Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Serves until `stop`.
  void run();
  void stop() { is_stopped_ = true; }
  /// One turn: what is ready now, or the next event within `longest` (negative: however long).
  void turn(base::Duration longest);

  /// From any thread: `work` runs on the loop's thread.
  void post(base::Mailbox::Work work) { mailbox_.post(std::move(work)); }
  /// Resumes `waiter` in the next turn, not from within this call.
  void schedule(std::coroutine_handle<> waiter) { ready_.push_back(waiter); }

  /// Watches for everything at once and for good, edge triggered: one system call for the life of
  /// a connection. Closing the descriptor ends it, `forget` drops what is already on its way.
  bool watch(int descriptor, Watched& watched);
  /// Level triggered, for listeners: what is not taken now is told again.
  bool watch_level(int descriptor, Watched& watched);
  /// For a transfer: a wake-up for nothing but `events`, once. `widen` goes back to `watch`.
  void watch_once(int descriptor, Watched& watched, std::uint32_t events);
  void widen(int descriptor, Watched& watched);
  /// Stops or resumes a descriptor of `watch_level`.
  void pause(int descriptor, Watched& watched, bool is_paused);
  /// The descriptor stays open, and may be watched for another object.
  void unwatch(int descriptor, const Watched& watched);
  /// Must be called before a watched object goes.
  void forget(const Watched& watched);

  const base::CoarseClock& clock() const { return clock_; }
  DeadlineWheel& wheel() { return wheel_; }

 private:
  static constexpr int kBatch = 256;

  void run_ready();

  base::Descriptor epoll_;
  base::Mailbox mailbox_;
  base::CoarseClock clock_;
  DeadlineWheel wheel_{clock_};
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  std::array<epoll_event, kBatch> batch_;
  int next_in_batch_ = 0;
  int batch_size_ = 0;
  bool is_stopped_ = false;
};

/// Calls a function once, a while after `start`; may be started again from within it.
class Timer final : public Closable {
 public:
  Timer(Reactor& reactor, std::function<void()> on_time)
      : deadline_(reactor.wheel(), *this), on_time_(std::move(on_time)) {}
  void start(base::Duration after) { deadline_.expire_in(after); }
  void cancel() { deadline_.cancel(); }

 private:
  void close() override { on_time_(); }

  Deadline deadline_;
  std::function<void()> on_time_;
};

}  // namespace penstock::net
