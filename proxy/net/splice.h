#pragma once
// Bytes from one clear connection to another through a pipe, without passing through user space
// (splice(2)): what large bodies and bulk streams are carried with. Not for TLS.
#include <vector>

#include "proxy/base/descriptor.h"
#include "proxy/net/stream.h"

namespace penstock::net {

/// A pipe that holds what is on its way. Kept by a pool only while it is empty.
class Pipe {
 public:
  bool is_open() const { return static_cast<bool>(in_); }
  std::size_t held() const { return held_; }

 private:
  friend class PipePool;
  friend class SpliceInOperation;
  friend class SpliceOutOperation;

  base::Descriptor in_;   // written to
  base::Descriptor out_;  // read from
  std::size_t held_ = 0;
};

/// Pipes of one worker, lent for as long as a transfer runs.
class PipePool {
 public:
  /// Not open where the kernel gives no more pipes: the caller goes on with buffers.
  Pipe lend();
  void give_back(Pipe pipe);

  /// Asked for; an unprivileged process may get less once it has many.
  static constexpr std::size_t kPipeSize = 512 << 10;

 private:
  static constexpr std::size_t kMostKept = 16;
  std::vector<Pipe> free_;
};

/// From the stream into the empty pipe: how many bytes, 0 at the orderly end.
class SpliceInOperation : public Operation {
 public:
  SpliceInOperation(Stream& from, Pipe& into, std::size_t most)
      : Operation(from, attempt_splice), pipe_(into), most_(most) {}
  bool await_ready() { return attempt() && may_go_on(); }
  void await_suspend(std::coroutine_handle<> caller) { wait_as_reader(caller); }
  base::IoResult<std::size_t> await_resume() const {
    if (error_) return base::io_fail(error_);
    return pipe_.held_;
  }

 private:
  static bool attempt_splice(Operation& self);
  Pipe& pipe_;
  std::size_t most_;
};

/// All that the pipe holds into the stream.
class SpliceOutOperation : public Operation {
 public:
  SpliceOutOperation(Pipe& from, Stream& to) : Operation(to, attempt_splice), pipe_(from) {}
  bool await_ready() { return attempt() && may_go_on(); }
  void await_suspend(std::coroutine_handle<> caller) { wait_as_writer(caller); }
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  static bool attempt_splice(Operation& self);
  Pipe& pipe_;
};

}  // namespace penstock::net
