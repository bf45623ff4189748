#pragma once
// The seam between the data path and the network: one connection, clear or TLS, as awaitable
// operations. Everything above it reads and writes through these calls, so that what lies beneath
// can change without anybody noticing.
//
// Beneath lies edge-triggered epoll: a stream remembers whether the kernel may have bytes or room
// for it, tries a system call only then, and takes a short read for "drained". So a read costs one
// recv, waiting costs none, and nothing is registered anew for as long as the connection lives.
//
// At most one read and one write may be pending at a time; they may overlap each other. `close`
// ends both with operation_aborted. A stream belongs to one worker.
#include <openssl/ssl.h>
#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/descriptor.h"
#include "proxy/base/result.h"
#include "proxy/net/reactor.h"

namespace penstock::net {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

class Stream;
class ReadOperation;
class WriteOperation;
class ConnectOperation;
class HandshakeOperation;

/// What a coroutine waits for on a stream. Lives in the coroutine's frame.
class Operation {
 public:
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

 protected:
  friend class Stream;
  friend class TlsIo;
  using Attempt = bool (*)(Operation&);
  Operation(Stream& stream, Attempt function) : stream_(stream), attempt_(function) {}
  ~Operation() = default;

  /// Tries; true once it is over, one way or the other.
  bool attempt() { return is_over_ = attempt_(*this); }
  bool fail(base::error_code code) {
    error_ = code;
    return true;
  }
  bool wait_for(std::uint32_t events) {
    wants_ = events;
    return false;
  }
  Stream& stream() const { return stream_; }
  // What operations outside of this file may do with the stream.
  int descriptor() const;
  bool is_readable() const;
  bool is_writable() const;
  void narrow();   // this wait is one of a transfer
  void drained();  // a read was told EAGAIN
  void filled();   // a write was
  void count_received(std::size_t size);
  void count_sent(std::size_t size);
  void begin_send();  // before anything but the stream's own writes
  void has_moved(bool and_waits);
  bool may_go_on();
  void wait_as_reader(std::coroutine_handle<> caller);
  void wait_as_writer(std::coroutine_handle<> caller);

  Stream& stream_;
  Attempt attempt_;
  std::coroutine_handle<> caller_;
  base::error_code error_;
  std::uint32_t wants_ = 0;  // EPOLLIN or EPOLLOUT, while it waits
  bool is_over_ = false;
};

class Stream final : public Watched {
 public:
  /// A stream that is not connected yet.
  explicit Stream(Reactor& reactor) : reactor_(reactor) {}
  /// Takes over a connection that a listener has accepted.
  /// `received` is what was read from it before.
  Stream(Reactor& reactor, base::Descriptor accepted, std::uint64_t received = 0);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Up to `into.size()` bytes; 0 at the orderly end of what the peer sends.
  ReadOperation read_some(std::span<char> into);
  /// Until a read would not have to wait (or the stream is closed): no buffer is needed meanwhile.
  ReadOperation readable();
  /// All of `data`, or an error. The bytes must live until it returns.
  WriteOperation write(std::string_view data);
  /// All of both, in one system call where the kernel takes it (head and body).
  WriteOperation write(std::string_view first, std::string_view second);
  /// The same for the last bytes before `close` or `shutdown_send`, which must follow at once: the
  /// kernel sends them together with the FIN.
  WriteOperation write_last(std::string_view first, std::string_view second);

  ConnectOperation connect(const base::TcpEndpoint& peer);
  /// Puts TLS on the connection and does the handshake; `ssl` decides which side we are. `early` is
  /// what was read before and belongs to it.
  HandshakeOperation handshake(SslPtr ssl, std::string early = {});

  /// Ends our direction: FIN, after close_notify on TLS.
  void shutdown_send();
  /// The next close sends RST instead of FIN.
  void reset_on_close();
  void close() override;
  /// Gives the connection away as it is, for another stream. Nothing may be pending.
  base::Descriptor release();
  /// A slow reader is no dead one: a write that goes on bit by bit is not cut short.
  bool is_moving() override { return std::exchange(has_moved_, false); }
  /// Ends a pending read with operation_aborted and leaves the connection as it is.
  void abort_read() { abort(reader_); }
  bool is_open() const { return static_cast<bool>(descriptor_); }
  /// False when the peer has closed or sent something while the connection was idle, as far as the
  /// loop has heard: no system call, unless the last read has left it open whether more was there.
  bool is_quiet() { return is_open() && (!is_readable_ || is_surely_quiet()); }
  /// The same, asking the kernel.
  bool is_surely_quiet();

  /// SO_KEEPALIVE; an idle time of zero leaves it off.
  void set_keepalive(base::Duration idle, base::Duration interval, std::uint32_t probes);
  base::TcpEndpoint local_endpoint() const;
  SSL* ssl() const { return ssl_.get(); }
  /// After a handshake that failed because the peer speaks HTTP without TLS: the connection goes on
  /// in the clear, without what has been read. False: it was something else.
  bool fall_back_to_clear_http();
  /// The last TLS failure as OpenSSL words it, for a log line.
  const char* tls_error() const { return tls_error_; }
  /// Bytes of the application since the beginning, inside of TLS where there is TLS.
  std::uint64_t received() const { return received_; }
  std::uint64_t sent() const { return sent_; }

 private:
  friend class Operation;
  friend class ReadOperation;
  friend class WriteOperation;
  friend class HandshakeOperation;
  friend class ConnectOperation;
  friend class TlsIo;

  void on_events(std::uint32_t events) override;
  void suspend(Operation& operation, Operation*& slot, std::coroutine_handle<> caller);
  void abort(Operation*& slot);
  void rearm();
  void widen();
  void set_no_delay();
  /// Lets others have their turn now and then: a fast sender is always ready.
  bool may_go_on() { return ++in_a_row_ < kMostInARow; }
  /// One recv: bytes, 0 at the end, or a failure with errno (EAGAIN: wait for EPOLLIN).
  ssize_t receive(char* into, std::size_t size);
  ssize_t send(const iovec* parts, std::size_t count, std::size_t total, int flags = 0);

  Reactor& reactor_;
  Operation* reader_ = nullptr;
  Operation* writer_ = nullptr;
  SslPtr ssl_;
  std::unique_ptr<std::string> early_;  // of TLS: read before it began, and not taken in yet
  const char* tls_error_ = "";
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  base::Descriptor descriptor_;
  bool is_readable_ = false;  // a recv may find bytes, the end or a failure
  bool is_writable_ = false;
  bool has_ended_ = false;       // the peer will send no more: the end stays readable
  bool lacks_no_delay_ = false;  // TCP_NODELAY is set before a second write: the first needs none
  bool is_fresh_ = true;         // TLS: nothing was sent since the last wait for the peer
  bool has_moved_ = false;       // a write that still waits has sent something
  std::uint8_t in_a_row_ = 0;    // operations since the loop last had its turn
  static constexpr std::uint8_t kMostInARow = 64;
  // In a long transfer each segment that arrives while the other side is waited for would wake the
  // loop for nothing: from its fourth wait on it is told of nothing but what it waits for.
  bool is_narrow_ = false;
  std::uint8_t transfer_waits_ = 0;
  static constexpr std::uint8_t kWaitsOfATransfer = 4;
};

class ReadOperation : public Operation {
 public:
  ReadOperation(Stream& stream, std::span<char> into)
      : Operation(stream, attempt_read), into_(into) {}
  bool await_ready() { return attempt() && may_go_on(); }
  void await_suspend(std::coroutine_handle<> caller) { wait_as_reader(caller); }
  base::IoResult<std::size_t> await_resume() const {
    if (error_) return base::io_fail(error_);
    return size_;
  }

 private:
  friend class TlsIo;
  static bool attempt_read(Operation& self);

  std::span<char> into_;
  std::size_t size_ = 0;
};

class WriteOperation : public Operation {
 public:
  WriteOperation(Stream& stream, std::string_view first, std::string_view second, bool is_last);
  bool await_ready() { return attempt() && may_go_on(); }
  void await_suspend(std::coroutine_handle<> caller) { wait_as_writer(caller); }
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  friend class TlsIo;
  static bool attempt_write(Operation& self);
  void consume(std::size_t size);

  std::array<std::string_view, 2> parts_;
  bool is_last_;
};

class ConnectOperation : public Operation {
 public:
  ConnectOperation(Stream& stream, const base::TcpEndpoint& peer);
  bool await_ready() const { return is_over_; }
  void await_suspend(std::coroutine_handle<> caller) { wait_as_writer(caller); }
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  static bool attempt_connect(Operation& self);
};

class HandshakeOperation : public Operation {
 public:
  explicit HandshakeOperation(Stream& stream) : Operation(stream, attempt_handshake) {}
  bool await_ready() { return attempt(); }
  void await_suspend(std::coroutine_handle<> caller) { wait_as_reader(caller); }
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  static bool attempt_handshake(Operation& self);
};

inline int Operation::descriptor() const { return stream_.descriptor_.get(); }
inline bool Operation::is_readable() const { return stream_.is_readable_; }
inline bool Operation::is_writable() const { return stream_.is_writable_; }
inline void Operation::narrow() {
  if (stream_.is_narrow_) return;
  stream_.is_narrow_ = ++stream_.transfer_waits_ >= Stream::kWaitsOfATransfer;
}
inline void Operation::drained() { stream_.is_readable_ = false; }
inline void Operation::filled() { stream_.is_writable_ = false; }
inline void Operation::count_received(std::size_t size) { stream_.received_ += size; }
inline void Operation::count_sent(std::size_t size) { stream_.sent_ += size; }
inline void Operation::begin_send() {
  if (stream_.lacks_no_delay_) stream_.set_no_delay();
}
inline void Operation::has_moved(bool and_waits) { stream_.has_moved_ = and_waits; }
inline bool Operation::may_go_on() { return stream_.may_go_on(); }
inline void Operation::wait_as_reader(std::coroutine_handle<> caller) {
  stream_.suspend(*this, stream_.reader_, caller);
}
inline void Operation::wait_as_writer(std::coroutine_handle<> caller) {
  stream_.suspend(*this, stream_.writer_, caller);
}

inline ReadOperation Stream::read_some(std::span<char> into) { return ReadOperation(*this, into); }
inline ReadOperation Stream::readable() { return ReadOperation(*this, {}); }
inline WriteOperation Stream::write(std::string_view data) {
  return WriteOperation(*this, data, {}, false);
}
inline WriteOperation Stream::write(std::string_view first, std::string_view second) {
  return WriteOperation(*this, first, second, false);
}
inline WriteOperation Stream::write_last(std::string_view first, std::string_view second) {
  return WriteOperation(*this, first, second, true);
}

}  // namespace penstock::net
