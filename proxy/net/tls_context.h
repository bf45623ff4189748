#pragma once
// OpenSSL contexts of one worker: nothing of a handshake is shared between workers but immutable
// keys, so no lock is met on the way.
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_identity.h"
#include "proxy/snapshot/global.h"
#include "proxy/snapshot/stream_tls.h"

namespace penstock::net {

struct SslContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// Our side towards clients. The certificate is chosen per handshake by server name. Whoever begins
/// a handshake holds the context until it is over.
class TlsServerContext {
 public:
  /// Given the lower-case server name ("" when the client sent none); null ends the handshake.
  using FindIdentity = std::function<std::shared_ptr<const TlsIdentity>(std::string_view name)>;

  /// For HTTPS.
  static base::Result<std::unique_ptr<TlsServerContext>> make(const snapshot::TlsSettings& settings,
                                                              FindIdentity find_identity);
  /// For a TCP port that terminates TLS.
  static base::Result<std::unique_ptr<TlsServerContext>> make(const snapshot::StreamTls& settings,
                                                              FindIdentity find_identity);
  /// The context must outlive the session's handshake, which asks it for the certificate.
  SslPtr new_session();

 private:
  explicit TlsServerContext(FindIdentity find);
  base::Result<void> use(const snapshot::StreamTls& settings);
  static int choose_certificate(SSL* ssl, void* self);
  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* offered, unsigned offered_size, void* self);

  FindIdentity find_identity_;
  std::string protocols_;  // ALPN as on the wire
  bool must_agree_ = false;
  std::unique_ptr<SSL_CTX, SslContextFree> context_;
};

/// Our side towards upstreams that speak TLS.
class TlsClientContext {
 public:
  /// Trusts the authorities of the system.
  TlsClientContext();
  /// Trusts those of the PEM text alone.
  static base::Result<std::unique_ptr<TlsClientContext>> make(const std::string& authorities_pem);
  /// `server_name` empty: no SNI, as in the original. With `verifies`, the chain must lead to the
  /// authorities and match the name, which may be an address.
  SslPtr new_session(const std::string& server_name, bool verifies);

 private:
  std::unique_ptr<SSL_CTX, SslContextFree> context_;
};

/// Why the handshake of this stream has failed, for a log line: "certificate verify failed: unable
/// to get local issuer certificate", "tlsv1 alert unknown ca".
std::string tls_failure(const Stream& stream);

}  // namespace penstock::net
