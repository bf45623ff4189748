#include "proxy/net/stream.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace penstock::net {
namespace {

constexpr int kTlsFailed = -1;
constexpr int kTlsEnded = -2;

auto wait_type(int wanted) {
  return wanted == POLLOUT ? base::TcpSocket::wait_write : base::TcpSocket::wait_read;
}

base::error_code tls_failure() {
  return boost::system::errc::make_error_code(boost::system::errc::protocol_error);
}

}  // namespace

Stream::Stream(base::TcpSocket socket) : socket_(std::move(socket)) {
  if (socket_.is_open()) socket_.non_blocking(true);
}

void Stream::close() {
  base::error_code ignored;
  socket_.close(ignored);
}

void Stream::shutdown_send() {
  // close_notify is sent once and not waited for: the FIN that follows ends the direction anyway.
  if (ssl_ && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  base::error_code ignored;
  socket_.shutdown(base::TcpSocket::shutdown_send, ignored);
}

void Stream::reset_on_close() {
  base::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

bool Stream::is_quiet() {
  pollfd poll{socket_.native_handle(), POLLIN | POLLRDHUP, 0};
  return socket_.is_open() && (!ssl_ || SSL_pending(ssl_.get()) == 0) && ::poll(&poll, 1, 0) == 0;
}

int Stream::wanted_after(int ssl_result) {
  switch (SSL_get_error(ssl_.get(), ssl_result)) {
    case SSL_ERROR_WANT_READ:
      return POLLIN;
    case SSL_ERROR_WANT_WRITE:
      return POLLOUT;
    case SSL_ERROR_ZERO_RETURN:
      return kTlsEnded;
    default:
      break;
  }
  const auto saved = errno;
  const auto code = ERR_peek_last_error();
  tls_error_ = code != 0 ? ERR_reason_error_string(code) != nullptr ? ERR_reason_error_string(code)
                                                                    : "unknown TLS error"
                         : "connection closed";
  ERR_clear_error();
  errno = saved;
  return kTlsFailed;
}

bool ReadOperation::await_ready() { return stream_.ssl_ && try_tls(); }

void ReadOperation::await_suspend(std::coroutine_handle<> caller) {
  caller_ = caller;
  if (stream_.ssl_) {
    wait();
    return;
  }
  stream_.socket_.async_read_some(asio::buffer(into_.data(), into_.size()),
                                  [this](base::error_code code, std::size_t size) {
                                    if (code != asio::error::eof) error_ = code;
                                    size_ = size;
                                    caller_.resume();
                                  });
}

bool ReadOperation::try_tls() {
  if (!stream_.is_open()) {
    error_ = asio::error::operation_aborted;
    return true;
  }
  ERR_clear_error();
  const auto limit = static_cast<int>(std::min<std::size_t>(into_.size(), 1 << 30));
  const auto got = SSL_read(stream_.ssl_.get(), into_.data(), limit);
  if (got > 0) {
    size_ = static_cast<std::size_t>(got);
    return true;
  }
  wanted_ = stream_.wanted_after(got);
  if (wanted_ == kTlsEnded) return true;
  if (wanted_ == kTlsFailed) error_ = errno == ECONNRESET ? base::last_error() : tls_failure();
  return wanted_ < 0;
}

void ReadOperation::wait() {
  stream_.socket_.async_wait(wait_type(wanted_), [this](base::error_code code) {
    if (code) {
      error_ = code;
    } else if (!try_tls()) {
      wait();
      return;
    }
    caller_.resume();
  });
}

WriteOperation::WriteOperation(Stream& stream, std::string_view first, std::string_view second)
    : stream_(stream), parts_{first, second} {
  if (parts_[0].empty()) std::swap(parts_[0], parts_[1]);
}

void WriteOperation::consume(std::size_t size) {
  stream_.sent_ += size;
  const auto of_first = std::min(size, parts_[0].size());
  parts_[0].remove_prefix(of_first);
  parts_[1].remove_prefix(size - of_first);
  if (parts_[0].empty()) std::swap(parts_[0], parts_[1]);
}

bool WriteOperation::attempt() {
  if (parts_[0].empty()) return true;
  if (!stream_.is_open()) {
    error_ = asio::error::operation_aborted;
    return true;
  }
  return stream_.ssl_ ? attempt_tls() : attempt_clear();
}

bool WriteOperation::attempt_clear() {
  while (!parts_[0].empty()) {
    std::array<iovec, 2> vectors{{{const_cast<char*>(parts_[0].data()), parts_[0].size()},
                                  {const_cast<char*>(parts_[1].data()), parts_[1].size()}}};
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = parts_[1].empty() ? 1 : 2;
    const auto asked = parts_[0].size() + parts_[1].size();
    const auto sent =
        ::sendmsg(stream_.socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      wanted_ = POLLOUT;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      error_ = base::last_error();
      return true;
    }
    consume(static_cast<std::size_t>(sent));
    if (static_cast<std::size_t>(sent) < asked) {
      // A short write means a full buffer: asking again would only be told EAGAIN.
      wanted_ = POLLOUT;
      return parts_[0].empty();
    }
  }
  return true;
}

bool WriteOperation::attempt_tls() {
  while (!parts_[0].empty()) {
    ERR_clear_error();
    const auto limit = static_cast<int>(std::min<std::size_t>(parts_[0].size(), 1 << 30));
    const auto sent = SSL_write(stream_.ssl_.get(), parts_[0].data(), limit);
    if (sent <= 0) {
      wanted_ = stream_.wanted_after(sent);
      if (wanted_ > 0) return false;
      error_ = tls_failure();
      return true;
    }
    consume(static_cast<std::size_t>(sent));
  }
  return true;
}

void WriteOperation::wait() {
  stream_.socket_.async_wait(wait_type(wanted_), [this](base::error_code code) {
    if (code) {
      error_ = code;
    } else if (!attempt()) {
      wait();
      return;
    }
    caller_.resume();
  });
}

void ConnectOperation::await_suspend(std::coroutine_handle<> caller) {
  socket_.async_connect(peer_, [this, caller](base::error_code code) {
    error_ = code;
    caller.resume();
  });
}

HandshakeOperation Stream::handshake(SslPtr ssl) {
  ssl_ = std::move(ssl);
  SSL_set_fd(ssl_.get(), socket_.native_handle());
  SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
  return HandshakeOperation(*this);
}

bool HandshakeOperation::attempt() {
  ERR_clear_error();
  const auto done = SSL_do_handshake(stream_.ssl_.get());
  if (done == 1) return true;
  wanted_ = stream_.wanted_after(done);
  if (wanted_ > 0) return false;
  error_ = tls_failure();
  return true;
}

void HandshakeOperation::wait() {
  stream_.socket_.async_wait(wait_type(wanted_), [this](base::error_code code) {
    if (code) {
      error_ = code;
    } else if (!attempt()) {
      wait();
      return;
    }
    caller_.resume();
  });
}

}  // namespace penstock::net
