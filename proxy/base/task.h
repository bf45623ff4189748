#pragma once
// The coroutine of the data path: lazy, single-threaded, resumed in place (symmetric transfer),
// its frame from a per-thread pool. Asio's own `awaitable` costs several times the instructions;
// docs/adr/0004-own-task.md has the numbers.
//
//   Task<int> answer();                 // starts when awaited
//   int n = co_await answer();
//   spawn("client connection", serve(std::move(socket)));   // a root: logs what escapes
//
// Parameters go by value, or by reference to what the awaiting caller owns. g++ 12 destroys a
// braced aggregate or a capturing lambda twice when it is a temporary inside a co_await
// expression: name it first (tests/checks/co_await_trap finds offenders).
#include <coroutine>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/base/frame_pool.h"

namespace penstock::base {

template <class T>
class [[nodiscard]] Task;

namespace detail {

struct PooledFrame {
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    release_frame(frame, size);
  }
};

struct TaskPromiseBase : PooledFrame {
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) const noexcept {
      return done.promise().continuation;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }

  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr error;
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
  std::optional<T> value;
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() { reset(); }

  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) const noexcept {
      handle.promise().continuation = caller;
      return handle;
    }
    T await_resume() const { return handle.promise().take(); }
  };
  Awaiter operator co_await() const& noexcept { return Awaiter{handle_}; }
  Awaiter operator co_await() const&& noexcept { return Awaiter{handle_}; }

 private:
  void reset() noexcept {
    if (handle_) handle_.destroy();
    handle_ = {};
  }

  Handle handle_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

/// Called for an exception that leaves a spawned task: logs it with the task's name.
void report_escaped(std::string_view name, std::exception_ptr error) noexcept;

struct Root {
  struct promise_type : PooledFrame {
    Root get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

inline Root run_root(std::string_view name, Task<void> task) {
  try {
    co_await task;
  } catch (...) {
    report_escaped(name, std::current_exception());
  }
}

}  // namespace detail

/// Runs a task with nobody awaiting it, from the calling thread, until its first wait. `name` must
/// outlive it (a literal). Give the task a Gate::Pass so that its owner can wait for its end.
inline void spawn(std::string_view name, Task<void> task) {
  detail::run_root(name, std::move(task));
}

}  // namespace penstock::base
