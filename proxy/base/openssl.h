#pragma once
// Owners of OpenSSL's objects, and PEM texts (RFC 7468) from and to them.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace penstock::base {

template <auto Free>
struct OpenSslDeleter {
  template <class T>
  void operator()(T* value) const {
    Free(value);
  }
};
using X509Ptr = std::unique_ptr<X509, OpenSslDeleter<X509_free>>;
using EvpKeyPtr = std::unique_ptr<EVP_PKEY, OpenSslDeleter<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, OpenSslDeleter<BIO_free_all>>;

/// Longer texts are refused.
inline constexpr std::size_t kMaxPem = 1 << 20;
/// For PEM_read_*: an encrypted key must fail, not ask a terminal for its passphrase.
int no_passphrase(char*, int, int, void*);
/// To read from; `text` must outlive it.
BioPtr open_pem(std::string_view text);
/// The first certificate; null where there is none that can be read.
X509Ptr read_certificate(std::string_view pem);
/// Empty where it cannot be written.
std::string pem_of(X509* certificate);
/// Of a private key, without a passphrase.
std::string pem_of(EVP_PKEY* key);

}  // namespace penstock::base
