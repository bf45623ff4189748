#pragma once
// A certificate chain with its private key, parsed once and shared by all workers (OpenSSL counts
// references atomically; nothing in it changes after parsing).
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::net {

class TlsIdentity {
 public:
  /// The leaf comes first in the chain. The error never holds key material.
  static base::Result<std::shared_ptr<const TlsIdentity>> parse(std::string_view chain_pem,
                                                                std::string_view key_pem);

  /// Presents this identity in the handshake of `ssl`; false when OpenSSL refuses.
  bool apply(SSL* ssl) const;
  /// By subject alternative names; by common name only where there are none (RFC 6125).
  bool covers(std::string_view host) const;
  const X509* leaf() const { return leaf_.get(); }

 private:
  struct Free {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
  };
  std::unique_ptr<X509, Free> leaf_;
  std::unique_ptr<STACK_OF(X509), Free> chain_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

}  // namespace penstock::net
