#include "controller/translate/certificate.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "proxy/base/openssl.h"

namespace penstock::translate {
namespace {

const std::string* value_of(const objects::Secret& secret, const char* name) {
  const auto found = secret.data.find(name);
  return found == secret.data.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace

struct KeyPair::Leaf {
  base::X509Ptr x509;
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
  pair->leaf_->x509.reset(
      PEM_read_bio_X509(base::open_pem(*chain).get(), nullptr, base::no_passphrase, nullptr));
  const base::EvpKeyPtr key(PEM_read_bio_PrivateKey(base::open_pem(*key_pem).get(), nullptr,
                                                    base::no_passphrase, nullptr));
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
  const auto text = base::open_pem(pem);
  std::size_t count = 0;
  ERR_clear_error();
  while (base::X509Ptr(PEM_read_bio_X509(text.get(), nullptr, base::no_passphrase, nullptr)))
    ++count;
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
