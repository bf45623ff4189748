#include "proxy/net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "proxy/base/openssl.h"

namespace penstock::net {
namespace {

constexpr int kMaxChain = 32;

}  // namespace

base::Result<std::shared_ptr<const TlsIdentity>> TlsIdentity::parse(std::string_view chain_pem,
                                                                    std::string_view key_pem) {
  const auto bad = [](const char* why) {
    ERR_clear_error();
    return base::fail(why);
  };
  if (chain_pem.size() > base::kMaxPem || key_pem.size() > base::kMaxPem)
    return bad("larger than 1 MiB");
  auto identity = std::make_shared<TlsIdentity>();
  const auto certificates = base::open_pem(chain_pem);
  identity->leaf_.reset(
      PEM_read_bio_X509(certificates.get(), nullptr, base::no_passphrase, nullptr));
  if (!identity->leaf_) return bad("the certificate is not PEM with an X.509 certificate");
  identity->chain_.reset(sk_X509_new_null());
  while (auto* more =
             PEM_read_bio_X509(certificates.get(), nullptr, base::no_passphrase, nullptr)) {
    if (sk_X509_num(identity->chain_.get()) >= kMaxChain) {
      X509_free(more);
      return bad("the certificate chain is longer than 33");
    }
    sk_X509_push(identity->chain_.get(), more);
  }
  const auto key = base::open_pem(key_pem);
  identity->key_.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, base::no_passphrase, nullptr));
  if (!identity->key_) return bad("the private key is not an unencrypted PEM key");
  if (X509_check_private_key(identity->leaf_.get(), identity->key_.get()) != 1) {
    return bad("the private key does not belong to the certificate");
  }
  ERR_clear_error();
  return identity;
}

bool TlsIdentity::covers(std::string_view host) const {
  return X509_check_host(leaf_.get(), host.data(), host.size(), 0, nullptr) == 1;
}

bool TlsIdentity::apply(SSL* ssl) const {
  return SSL_use_certificate(ssl, leaf_.get()) == 1 && SSL_use_PrivateKey(ssl, key_.get()) == 1 &&
         SSL_set1_chain(ssl, chain_.get()) == 1;
}

}  // namespace penstock::net
