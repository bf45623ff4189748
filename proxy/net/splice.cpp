#include "proxy/net/splice.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <utility>

namespace penstock::net {
namespace {

constexpr unsigned kHow = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

ssize_t splice_once(int from, int to, std::size_t size) {
  for (;;) {
    const auto moved = ::splice(from, nullptr, to, nullptr, size, kHow);
    if (moved >= 0 || errno != EINTR) return moved;
  }
}

}  // namespace

Pipe PipePool::lend() {
  if (!free_.empty()) {
    auto pipe = std::move(free_.back());
    free_.pop_back();
    return pipe;
  }
  Pipe pipe;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return pipe;
  pipe.out_ = base::Descriptor(ends[0]);
  pipe.in_ = base::Descriptor(ends[1]);
  ::fcntl(pipe.in_.get(), F_SETPIPE_SZ, static_cast<int>(kPipeSize));
  return pipe;
}

void PipePool::give_back(Pipe pipe) {
  if (pipe.is_open() && pipe.held_ == 0 && free_.size() < kMostKept) {
    free_.push_back(std::move(pipe));
  }
}

bool SpliceInOperation::attempt_splice(Operation& self) {
  auto& operation = static_cast<SpliceInOperation&>(self);
  auto& from = operation.stream();
  if (!from.is_open()) return operation.fail(asio::error::operation_aborted);
  if (!operation.is_readable()) {
    operation.narrow();
    return operation.wait_for(EPOLLIN);
  }
  const auto moved =
      splice_once(operation.descriptor(), operation.pipe_.in_.get(), operation.most_);
  if (moved < 0 && errno == EAGAIN) {
    // The pipe is empty, so it is the socket that has nothing.
    operation.drained();
    operation.narrow();
    return operation.wait_for(EPOLLIN);
  }
  if (moved < 0) return operation.fail(base::last_error());
  operation.pipe_.held_ = static_cast<std::size_t>(moved);
  operation.count_received(operation.pipe_.held_);
  return true;
}

bool SpliceOutOperation::attempt_splice(Operation& self) {
  auto& operation = static_cast<SpliceOutOperation&>(self);
  auto& to = operation.stream();
  operation.begin_send();
  auto& held = operation.pipe_.held_;
  while (held > 0) {
    if (!to.is_open()) return operation.fail(asio::error::operation_aborted);
    if (!operation.is_writable()) {
      operation.narrow();
      return operation.wait_for(EPOLLOUT);
    }
    const auto moved = splice_once(operation.pipe_.out_.get(), operation.descriptor(), held);
    if (moved < 0 && errno == EAGAIN) {
      operation.filled();
      operation.narrow();
      return operation.wait_for(EPOLLOUT);
    }
    if (moved < 0) return operation.fail(base::last_error());
    held -= static_cast<std::size_t>(moved);
    operation.count_sent(static_cast<std::size_t>(moved));
    operation.has_moved(held > 0);
  }
  return true;
}

}  // namespace penstock::net
