#include "proxy/net/tls_authorities.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>

namespace penstock::net {
namespace {

constexpr std::size_t kMaxPem = 1 << 20;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

int no_password(char*, int, int, void*) { return 0; }

}  // namespace

base::Result<void> trust(SSL_CTX* context, const std::string& pem, TellPeer tell) {
  if (pem.size() > kMaxPem) return base::fail("authorities: larger than 1 MiB");
  const std::unique_ptr<BIO, Free> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto* store = SSL_CTX_get_cert_store(context);
  std::size_t count = 0;
  ERR_clear_error();
  for (;; ++count) {
    const std::unique_ptr<X509, Free> authority(
        PEM_read_bio_X509(text.get(), nullptr, no_password, nullptr));
    if (!authority) break;
    X509_STORE_add_cert(store, authority.get());
    if (tell == TellPeer::kYes) SSL_CTX_add_client_CA(context, authority.get());
  }
  // The end of the text is the one good reason to stop.
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (count == 0) return base::fail("authorities: expected PEM certificates, got none");
  if (!is_end) return base::fail("authorities: one of the certificates cannot be read");
  return {};
}

}  // namespace penstock::net
