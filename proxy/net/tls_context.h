#pragma once
// OpenSSL contexts of one worker: nothing of a handshake is shared between workers but immutable
// keys, so no lock is met on the way.
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_identity.h"
#include "proxy/snapshot/global.h"

namespace penstock::net {

struct SslContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// Our side towards clients. The certificate is chosen per handshake by server name.
class TlsServerContext {
 public:
  /// Given the lower-case server name ("" when the client sent none); null ends the handshake.
  using FindIdentity = std::function<std::shared_ptr<const TlsIdentity>(std::string_view name)>;

  static base::Result<std::unique_ptr<TlsServerContext>> make(const snapshot::TlsSettings& settings,
                                                              FindIdentity find_identity);
  /// The context must outlive the session's handshake, which asks it for the certificate.
  SslPtr new_session();

 private:
  explicit TlsServerContext(FindIdentity find) : find_identity_(std::move(find)) {}
  static int choose_certificate(SSL* ssl, void* self);

  FindIdentity find_identity_;
  std::unique_ptr<SSL_CTX, SslContextFree> context_;
};

/// Our side towards upstreams that speak TLS.
class TlsClientContext {
 public:
  TlsClientContext();
  /// `server_name` empty: no SNI, as in the original. With `verifies`, the chain must lead to the
  /// system's authorities and match the name.
  SslPtr new_session(const std::string& server_name, bool verifies);

 private:
  std::unique_ptr<SSL_CTX, SslContextFree> context_;
};

}  // namespace penstock::net
