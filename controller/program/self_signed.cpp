#include "controller/program/self_signed.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

#include "proxy/base/openssl.h"

namespace penstock::program {
namespace {

constexpr long kYear = 365L * 24 * 3600;
constexpr long kClockSkew = 3600;

using Extension = std::unique_ptr<X509_EXTENSION, base::OpenSslDeleter<X509_EXTENSION_free>>;

bool fill(X509* certificate, EVP_PKEY* key) {
  std::uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_set_version(certificate, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kClockSkew);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kYear);
  auto* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_UTF8,
      reinterpret_cast<const unsigned char*>("Penstock self-signed certificate"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  const Extension names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:ingress.local"));
  return names && X509_add_ext(certificate, names.get(), -1) == 1 &&
         X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

base::Result<PemPair> make_self_signed() {
  const base::EvpKeyPtr key(EVP_EC_gen("P-256"));
  const base::X509Ptr certificate(X509_new());
  PemPair out;
  if (key && certificate && fill(certificate.get(), key.get())) {
    out = {base::pem_of(certificate.get()), base::pem_of(key.get())};
  }
  ERR_clear_error();
  if (out.chain.empty() || out.key.empty()) {
    return base::fail("a self-signed certificate cannot be made");
  }
  return out;
}

}  // namespace penstock::program
