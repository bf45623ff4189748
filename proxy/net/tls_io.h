#pragma once
// TLS on a Stream: OpenSSL reads and writes through the stream's own readiness, so that it never
// asks the kernel for what the stream knows is not there.
#include "proxy/net/stream.h"

namespace penstock::net {

class TlsIo {
 public:
  /// Gives the stream's SSL its way to the socket.
  static void attach(Stream& stream);

  static bool handshake(Operation& operation);
  static bool read(ReadOperation& operation);
  static bool write(WriteOperation& operation);
  /// close_notify, sent once and not waited for.
  static void notify_close(Stream& stream);
  static bool has_pending(const Stream& stream);
  /// Whether a handshake came upon the beginning of a request instead.
  static bool has_met_http(const Stream& stream);

 private:
  static const BIO_METHOD* method();
  static int bio_read(BIO* bio, char* into, int size);
  static int take_early(Stream& stream, char* into, std::size_t size);
  static int bio_write(BIO* bio, const char* from, int size);
  /// One that the next operation is to find.
  static void note_failure(Stream& stream, int result);
  static bool conclude(Operation& operation, int result, bool is_end_ok);
};

}  // namespace penstock::net
