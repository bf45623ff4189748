#pragma once
// The seam between the data path and the network: one connection, clear or TLS, as awaitable
// operations. Everything above it reads and writes through these calls, so that what lies beneath
// can change without anybody noticing. Reads go through Asio's completion handlers (one recv when
// data is there); writes call send directly and wait only after EAGAIN.
//
// At most one read and one write may be pending at a time; they may overlap each other. `close`
// ends both with operation_aborted. A stream belongs to one worker.
#include <openssl/ssl.h>
#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/result.h"
#include "proxy/net/deadline.h"

namespace penstock::net {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

class ReadOperation;
class WriteOperation;
class HandshakeOperation;
class ConnectOperation;

class Stream final : public Closable {
 public:
  explicit Stream(base::TcpSocket socket);
  ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Up to `into.size()` bytes; 0 at the orderly end of what the peer sends.
  ReadOperation read_some(std::span<char> into);
  /// All of `data`, or an error. The bytes must live until it returns.
  WriteOperation write(std::string_view data);
  /// All of both, in one system call where the kernel takes it (head and body).
  WriteOperation write(std::string_view first, std::string_view second);

  ConnectOperation connect(const base::TcpEndpoint& peer);
  /// Puts TLS on the connection and does the handshake; `ssl` decides which side we are.
  HandshakeOperation handshake(SslPtr ssl);

  /// Ends our direction: FIN, after close_notify on TLS.
  void shutdown_send();
  /// The next close sends RST instead of FIN.
  void reset_on_close();
  void close() override;
  bool is_open() const { return socket_.is_open(); }
  /// False when the peer has closed or sent something while the connection was idle.
  bool is_quiet();

  base::TcpSocket& socket() { return socket_; }
  SSL* ssl() const { return ssl_.get(); }
  /// The last TLS failure as OpenSSL words it, for a log line.
  const std::string& tls_error() const { return tls_error_; }
  /// Bytes of the application since the beginning, inside of TLS where there is TLS.
  std::uint64_t received() const { return received_; }
  std::uint64_t sent() const { return sent_; }

 private:
  friend class ReadOperation;
  friend class WriteOperation;
  friend class HandshakeOperation;

  /// What an SSL call wants next: 0 nothing (done), POLLIN or POLLOUT, or -1 for a failure.
  int wanted_after(int ssl_result);

  base::TcpSocket socket_;
  SslPtr ssl_;
  std::string tls_error_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
};

class ReadOperation {
 public:
  ReadOperation(Stream& stream, std::span<char> into) : stream_(stream), into_(into) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> caller);
  base::IoResult<std::size_t> await_resume() const {
    if (error_) return base::io_fail(error_);
    stream_.received_ += size_;
    return size_;
  }

 private:
  bool try_tls();
  void wait();

  Stream& stream_;
  std::span<char> into_;
  std::coroutine_handle<> caller_;
  std::size_t size_ = 0;
  base::error_code error_;
  int wanted_ = 0;
};

class WriteOperation {
 public:
  WriteOperation(Stream& stream, std::string_view first, std::string_view second);
  bool await_ready() { return attempt(); }
  void await_suspend(std::coroutine_handle<> caller) {
    caller_ = caller;
    wait();
  }
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  bool attempt();
  bool attempt_clear();
  bool attempt_tls();
  void consume(std::size_t size);
  void wait();

  Stream& stream_;
  std::array<std::string_view, 2> parts_;
  std::coroutine_handle<> caller_;
  base::error_code error_;
  int wanted_ = 0;
};

class ConnectOperation {
 public:
  ConnectOperation(base::TcpSocket& socket, const base::TcpEndpoint& peer)
      : socket_(socket), peer_(peer) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> caller);
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  base::TcpSocket& socket_;
  base::TcpEndpoint peer_;
  base::error_code error_;
};

class HandshakeOperation {
 public:
  explicit HandshakeOperation(Stream& stream) : stream_(stream) {}
  bool await_ready() { return attempt(); }
  void await_suspend(std::coroutine_handle<> caller) {
    caller_ = caller;
    wait();
  }
  base::IoResult<void> await_resume() const {
    if (error_) return base::io_fail(error_);
    return {};
  }

 private:
  bool attempt();
  void wait();

  Stream& stream_;
  std::coroutine_handle<> caller_;
  base::error_code error_;
  int wanted_ = 0;
};

inline ReadOperation Stream::read_some(std::span<char> into) { return ReadOperation(*this, into); }
inline WriteOperation Stream::write(std::string_view data) {
  return WriteOperation(*this, data, {});
}
inline WriteOperation Stream::write(std::string_view first, std::string_view second) {
  return WriteOperation(*this, first, second);
}
inline ConnectOperation Stream::connect(const base::TcpEndpoint& peer) {
  return ConnectOperation(socket_, peer);
}

}  // namespace penstock::net
