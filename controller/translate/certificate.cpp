#include "controller/translate/certificate.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>

namespace penstock::translate {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* value) const {
    Free(value);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

Bio open(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

/// A key with a passphrase must fail, not ask on a terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

const std::string* value_of(const objects::Secret& secret, const char* name) {
  const auto found = secret.data.find(name);
  return found == secret.data.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace

struct KeyPair::Leaf {
  std::unique_ptr<X509, Deleter<X509_free>> x509;
};

KeyPair::KeyPair() : leaf_(std::make_unique<Leaf>()) {}
KeyPair::~KeyPair() = default;

base::Result<std::shared_ptr<const KeyPair>> KeyPair::parse(const objects::Secret& secret,
                                                            std::string name) {
  const auto* chain = value_of(secret, "tls.crt");
  const auto* key_pem = value_of(secret, "tls.key");
  if (chain == nullptr) return base::fail("tls.crt: expected a certificate, got none");
  if (key_pem == nullptr) return base::fail("tls.key: expected a private key, got none");
  std::shared_ptr<KeyPair> pair(new KeyPair);
  pair->leaf_->x509.reset(PEM_read_bio_X509(open(*chain).get(), nullptr, no_passphrase, nullptr));
  const Key key(PEM_read_bio_PrivateKey(open(*key_pem).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!pair->leaf_->x509) return base::fail("tls.crt: expected a PEM certificate");
  if (!key) return base::fail("tls.key: expected a PEM private key without a passphrase");
  const auto fits = X509_check_private_key(pair->leaf_->x509.get(), key.get()) == 1;
  ERR_clear_error();
  if (!fits) return base::fail("tls.key: does not belong to the certificate in tls.crt");
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(pair->leaf_->x509.get()), &end) == 1) {
    pair->expires_ = timegm(&end);
  }
  pair->part_ = {std::move(name), *chain, *key_pem};
  return pair;
}

base::Result<void> check_authorities(const std::string& pem) {
  constexpr std::size_t kMost = 256 << 10;
  if (pem.size() > kMost) return base::fail("expected at most 256 KiB");
  const auto text = open(pem);
  using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
  std::size_t count = 0;
  ERR_clear_error();
  while (Certificate(PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr))) ++count;
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (count == 0) return base::fail("expected PEM certificates, got none");
  if (!is_end) return base::fail("expected PEM certificates, one of them cannot be read");
  return {};
}

bool KeyPair::covers(const std::string& host) const {
  return X509_check_host(leaf_->x509.get(), host.data(), host.size(), 0, nullptr) == 1;
}

}  // namespace penstock::translate
