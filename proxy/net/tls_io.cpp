#include "proxy/net/tls_io.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace penstock::net {
namespace {

constexpr std::size_t kRecord = 16 << 10;
/// What is asked of the socket at once while records come faster than they are taken.
constexpr std::size_t kReadAhead = 64 << 10;
/// The first record of a long answer is short, so that the peer can begin before all of a full
/// record has come.
constexpr std::size_t kFirstRecord = 4 << 10;

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int size_for_openssl(std::span<char> into) {
  return static_cast<int>(std::min<std::size_t>(into.size(), 1 << 30));
}

/// What OpenSSL says of its last failure, if anything; taken off its queue.
const char* last_reason() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return nullptr;
  const auto* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown TLS error";
}

base::error_code tls_failure() {
  return boost::system::errc::make_error_code(boost::system::errc::protocol_error);
}

}  // namespace

int TlsIo::bio_read(BIO* bio, char* into, int size) {
  auto& stream = *static_cast<Stream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (stream.early_) return take_early(stream, into, static_cast<std::size_t>(size));
  errno = EAGAIN;
  const auto got =
      stream.is_readable_ ? stream.receive(into, static_cast<std::size_t>(size)) : ssize_t{-1};
  if (got < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

int TlsIo::take_early(Stream& stream, char* into, std::size_t size) {
  auto& early = *stream.early_;
  const auto taken = std::min(size, early.size());
  std::copy_n(early.begin(), taken, into);
  early.erase(0, taken);
  if (early.empty()) stream.early_.reset();
  return static_cast<int>(taken);
}

int TlsIo::bio_write(BIO* bio, const char* from, int size) {
  auto& stream = *static_cast<Stream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  errno = EAGAIN;
  const auto length = static_cast<std::size_t>(size);
  const iovec part{const_cast<char*>(from), length};
  const auto sent = stream.is_writable_ ? stream.send(&part, 1, length) : ssize_t{-1};
  if (sent < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

const BIO_METHOD* TlsIo::method() {
  static BIO_METHOD* const kMethod = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return kMethod;
}

void TlsIo::attach(Stream& stream) {
  auto* bio = BIO_new(method());
  BIO_set_data(bio, &stream);
  BIO_set_init(bio, 1);
  SSL_set_bio(stream.ssl_.get(), bio, bio);
  SSL_set_read_ahead(stream.ssl_.get(), 1);
  SSL_set_mode(stream.ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
}

/// What a call of OpenSSL that did not succeed means for the operation.
bool TlsIo::conclude(Operation& operation, int result, bool is_end_ok) {
  auto& stream = operation.stream_;
  const auto saved = errno;
  switch (SSL_get_error(stream.ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return operation.wait_for(EPOLLIN);
    case SSL_ERROR_WANT_WRITE:
      return operation.wait_for(EPOLLOUT);
    case SSL_ERROR_ZERO_RETURN:
      if (is_end_ok) return true;
      break;
    default:
      break;
  }
  if (const auto* reason = last_reason()) {
    stream.tls_error_ = reason;
  } else if (*stream.tls_error_ == '\0') {
    stream.tls_error_ = "connection closed";
  }
  return operation.fail(saved == ECONNRESET ? base::error_code(asio::error::connection_reset)
                                            : tls_failure());
}

bool TlsIo::handshake(Operation& operation) {
  ERR_clear_error();
  errno = 0;
  const auto done = SSL_do_handshake(operation.stream_.ssl_.get());
  return done == 1 || conclude(operation, done, false);
}

void TlsIo::note_failure(Stream& stream, int result) {
  const auto error = SSL_get_error(stream.ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  const auto* reason = last_reason();
  stream.tls_error_ = reason != nullptr ? reason : "connection closed";
}

bool TlsIo::read(ReadOperation& operation) {
  auto& stream = operation.stream_;
  ERR_clear_error();
  errno = 0;
  auto* ssl = stream.ssl_.get();
  auto into = operation.into_;
  const bool is_bulk = into.size() > kRecord;
  if (is_bulk) SSL_set_default_read_buffer_len(ssl, kReadAhead);
  auto got = SSL_read(ssl, into.data(), size_for_openssl(into));
  if (got <= 0) return conclude(operation, got, true);
  // Room for several records takes those that have come with the first. Nothing more is asked of
  // the socket: that it has ended, or how, is for the next read to tell.
  const bool was_readable = std::exchange(stream.is_readable_, false);
  do {
    into = into.subspan(static_cast<std::size_t>(got));
    got = is_bulk && !into.empty() ? SSL_read(ssl, into.data(), size_for_openssl(into)) : 0;
  } while (got > 0);
  stream.is_readable_ = was_readable;
  if (got < 0) note_failure(stream, got);
  operation.size_ = operation.into_.size() - into.size();
  stream.received_ += operation.size_;
  return true;
}

bool TlsIo::write(WriteOperation& operation) {
  auto& stream = operation.stream_;
  auto& parts = operation.parts_;
  thread_local std::array<char, kRecord> gathered;
  while (!parts[0].empty()) {
    auto record = parts[0].substr(0, kRecord);
    // Head and body share a record, and so a system call. Should it not go out now, the same bytes
    // are gathered again for the next attempt.
    if (!parts[1].empty() && record.size() < kRecord) {
      const auto more = parts[1].substr(0, kRecord - record.size());
      std::ranges::copy(record, gathered.begin());
      std::ranges::copy(more, gathered.begin() + static_cast<std::ptrdiff_t>(record.size()));
      record = {gathered.data(), record.size() + more.size()};
    }
    if (stream.is_fresh_ && parts[0].size() + parts[1].size() > kRecord) {
      record = record.substr(0, kFirstRecord);
    }
    ERR_clear_error();
    errno = 0;
    const auto sent = SSL_write(stream.ssl_.get(), record.data(), static_cast<int>(record.size()));
    if (sent <= 0) return conclude(operation, sent, false);
    stream.has_moved_ = true;
    stream.is_fresh_ = false;
    operation.consume(static_cast<std::size_t>(sent));
  }
  stream.has_moved_ = false;
  return true;
}

void TlsIo::notify_close(Stream& stream) {
  if (!SSL_is_init_finished(stream.ssl_.get())) return;
  ERR_clear_error();
  SSL_shutdown(stream.ssl_.get());
  ERR_clear_error();
}

bool TlsIo::has_pending(const Stream& stream) {
  const auto* ssl = stream.ssl_.get();
  // What a read has come upon behind the last record is for the next one to tell.
  const bool has_failed = *stream.tls_error_ != '\0';
  return stream.early_ != nullptr || SSL_has_pending(ssl) == 1 || has_failed ||
         (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool TlsIo::has_met_http(const Stream& stream) {
  constexpr std::array kReasons = {SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST};
  const std::string_view found = stream.tls_error_;
  return std::ranges::any_of(kReasons, [&](int reason) {
    return found == ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
  });
}

}  // namespace penstock::net
