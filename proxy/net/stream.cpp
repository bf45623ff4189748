#include "proxy/net/stream.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/net/tls_io.h"

namespace penstock::net {

Stream::Stream(Reactor& reactor, base::Descriptor accepted, std::uint64_t received)
    : reactor_(reactor), received_(received), descriptor_(std::move(accepted)), is_writable_(true) {
  // A connection that the kernel will not tell us of could never go on.
  if (!reactor_.watch(descriptor_.get(), *this)) descriptor_.reset();
}

Stream::~Stream() { close(); }

void Stream::close() {
  if (!descriptor_) return;
  reactor_.forget(*this);
  descriptor_.reset();
  abort(reader_);
  abort(writer_);
}

base::Descriptor Stream::release() {
  if (descriptor_) reactor_.unwatch(descriptor_.get(), *this);
  return std::move(descriptor_);
}

void Stream::abort(Operation*& slot) {
  auto* const operation = std::exchange(slot, nullptr);
  if (operation == nullptr) return;
  operation->error_ = asio::error::operation_aborted;
  reactor_.schedule(operation->caller_);
}

void Stream::suspend(Operation& operation, Operation*& slot, std::coroutine_handle<> caller) {
  in_a_row_ = 0;
  if (operation.is_over_) {
    reactor_.schedule(caller);
    return;
  }
  operation.caller_ = caller;
  slot = &operation;
  if (is_narrow_) rearm();
}

void Stream::rearm() {
  const auto events =
      (reader_ != nullptr ? reader_->wants_ : 0U) | (writer_ != nullptr ? writer_->wants_ : 0U);
  if (events != 0) reactor_.watch_once(descriptor_.get(), *this, events);
}

void Stream::widen() {
  transfer_waits_ = 0;
  if (std::exchange(is_narrow_, false)) reactor_.widen(descriptor_.get(), *this);
}

void Stream::on_events(std::uint32_t events) {
  in_a_row_ = 0;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) has_ended_ = true;
  if (has_ended_ || (events & EPOLLIN) != 0) is_readable_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) is_writable_ = true;
  const auto ready =
      (is_readable_ ? EPOLLIN : std::uint32_t{0}) | (is_writable_ ? EPOLLOUT : std::uint32_t{0});
  const auto take = [&](Operation*& slot) -> std::coroutine_handle<> {
    if (slot == nullptr || (slot->wants_ & ready) == 0 || !slot->attempt()) return {};
    return std::exchange(slot, nullptr)->caller_;
  };
  const auto reader = take(reader_);
  const auto writer = take(writer_);
  if (is_narrow_) rearm();
  // The first one to run may destroy this stream, never the coroutine of the other.
  if (reader && writer) reactor_.schedule(writer);
  if (reader) {
    reader.resume();
  } else if (writer) {
    writer.resume();
  }
}

ssize_t Stream::receive(char* into, std::size_t size) {
  for (;;) {
    const auto got = ::recv(descriptor_.get(), into, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) is_readable_ = false;
    // Fewer than asked for: there was no more, and what comes is told anew.
    if (got > 0 && static_cast<std::size_t>(got) < size && !has_ended_) is_readable_ = false;
    if (!is_readable_) widen();
    return got;
  }
}

ssize_t Stream::send(const iovec* parts, std::size_t count, std::size_t total, int flags) {
  if (lacks_no_delay_ && sent_ > 0) set_no_delay();
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  flags |= MSG_NOSIGNAL;
  for (;;) {
    const auto sent = count == 1 ? ::send(descriptor_.get(), parts->iov_base, parts->iov_len, flags)
                                 : ::sendmsg(descriptor_.get(), &message, flags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 ? errno == EAGAIN : static_cast<std::size_t>(sent) < total) is_writable_ = false;
    return sent;
  }
}

void Stream::shutdown_send() {
  if (!descriptor_) return;
  if (ssl_) TlsIo::notify_close(*this);
  ::shutdown(descriptor_.get(), SHUT_WR);
}

void Stream::reset_on_close() {
  const linger now{1, 0};
  ::setsockopt(descriptor_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void Stream::set_no_delay() {
  const int on = 1;
  lacks_no_delay_ = false;
  ::setsockopt(descriptor_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Stream::set_keepalive(base::Duration idle, base::Duration interval, std::uint32_t probes) {
  if (idle.count() == 0) return;
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(descriptor_.get(), level, option, &value, sizeof value);
  };
  const auto seconds = [](base::Duration time) {
    return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
  };
  set(IPPROTO_TCP, TCP_KEEPIDLE, seconds(idle));
  set(IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval));
  set(IPPROTO_TCP, TCP_KEEPCNT, static_cast<int>(probes));
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

bool Stream::is_surely_quiet() {
  pollfd poll{descriptor_.get(), POLLIN | POLLRDHUP, 0};
  if (!descriptor_ || has_ended_ || ::poll(&poll, 1, 0) != 0) return false;
  is_readable_ = false;
  widen();
  return true;
}

base::TcpEndpoint Stream::local_endpoint() const {
  base::TcpEndpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(descriptor_.get(), endpoint.data(), &size) == 0) endpoint.resize(size);
  return endpoint;
}

bool ReadOperation::attempt_read(Operation& self) {
  auto& operation = static_cast<ReadOperation&>(self);
  auto& stream = operation.stream_;
  if (!stream.is_open()) return operation.fail(asio::error::operation_aborted);
  if (operation.into_.empty()) {
    if (stream.is_readable_ || (stream.ssl_ && TlsIo::has_pending(stream))) return true;
    stream.is_fresh_ = true;
    stream.widen();
    return operation.wait_for(EPOLLIN);
  }
  if (stream.ssl_) return TlsIo::read(operation);
  if (!stream.is_readable_) {
    stream.widen();
    return operation.wait_for(EPOLLIN);
  }
  const auto got = stream.receive(operation.into_.data(), operation.into_.size());
  if (got < 0 && errno == EAGAIN) return operation.wait_for(EPOLLIN);
  if (got < 0) return operation.fail(base::last_error());
  operation.size_ = static_cast<std::size_t>(got);
  stream.received_ += operation.size_;
  return true;
}

WriteOperation::WriteOperation(Stream& stream, std::string_view first, std::string_view second,
                               bool is_last)
    : Operation(stream, attempt_write), parts_{first, second}, is_last_(is_last) {
  if (parts_[0].empty()) std::swap(parts_[0], parts_[1]);
}

void WriteOperation::consume(std::size_t size) {
  stream_.sent_ += size;
  const auto of_first = std::min(size, parts_[0].size());
  parts_[0].remove_prefix(of_first);
  parts_[1].remove_prefix(size - of_first);
  if (parts_[0].empty()) std::swap(parts_[0], parts_[1]);
}

bool WriteOperation::attempt_write(Operation& self) {
  auto& operation = static_cast<WriteOperation&>(self);
  auto& stream = operation.stream_;
  auto& parts = operation.parts_;
  if (parts[0].empty()) return true;
  if (!stream.is_open()) return operation.fail(asio::error::operation_aborted);
  if (stream.ssl_) return TlsIo::write(operation);
  if (!stream.is_writable_) return operation.wait_for(EPOLLOUT);
  const std::array<iovec, 2> vectors{{{const_cast<char*>(parts[0].data()), parts[0].size()},
                                      {const_cast<char*>(parts[1].data()), parts[1].size()}}};
  const auto total = parts[0].size() + parts[1].size();
  const auto sent = stream.send(vectors.data(), parts[1].empty() ? 1 : 2, total,
                                operation.is_last_ ? MSG_MORE : 0);
  if (sent < 0 && errno == EAGAIN) return operation.wait_for(EPOLLOUT);
  if (sent < 0) return operation.fail(base::last_error());
  operation.consume(static_cast<std::size_t>(sent));
  stream.has_moved_ = !parts[0].empty();
  return parts[0].empty() || operation.wait_for(EPOLLOUT);
}

ConnectOperation::ConnectOperation(Stream& stream, const base::TcpEndpoint& peer)
    : Operation(stream, attempt_connect) {
  const auto kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  base::Descriptor descriptor(::socket(peer.protocol().family(), kind, 0));
  const auto connect = [&] {
    return ::connect(descriptor.get(), peer.data(), static_cast<socklen_t>(peer.size())) == 0 ||
           errno == EINPROGRESS;
  };
  if (!descriptor || !connect() || !stream.reactor_.watch(descriptor.get(), stream)) {
    is_over_ = fail(base::last_error());
    return;
  }
  stream.descriptor_ = std::move(descriptor);
  stream.lacks_no_delay_ = true;
  wait_for(EPOLLOUT);
}

ConnectOperation Stream::connect(const base::TcpEndpoint& peer) {
  return ConnectOperation(*this, peer);
}

bool ConnectOperation::attempt_connect(Operation& self) {
  auto& operation = static_cast<ConnectOperation&>(self);
  const auto& stream = operation.stream_;
  if (!stream.has_ended_) return true;
  int code = 0;
  socklen_t size = sizeof code;
  ::getsockopt(stream.descriptor_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  return code == 0 || operation.fail({code, boost::system::system_category()});
}

bool Stream::fall_back_to_clear_http() {
  if (ssl_ == nullptr || !TlsIo::has_met_http(*this)) return false;
  ssl_.reset();
  early_.reset();
  return true;
}

HandshakeOperation Stream::handshake(SslPtr ssl, std::string early) {
  ssl_ = std::move(ssl);
  if (!early.empty()) {
    received_ -= std::min<std::uint64_t>(received_, early.size());  // not of the application
    early_ = std::make_unique<std::string>(std::move(early));
  }
  TlsIo::attach(*this);
  return HandshakeOperation(*this);
}

bool HandshakeOperation::attempt_handshake(Operation& self) {
  auto& operation = static_cast<HandshakeOperation&>(self);
  if (!operation.stream_.is_open()) return operation.fail(asio::error::operation_aborted);
  return TlsIo::handshake(operation);
}

}  // namespace penstock::net
