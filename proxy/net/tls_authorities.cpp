#include "proxy/net/tls_authorities.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "proxy/base/openssl.h"

namespace penstock::net {

base::Result<void> trust(SSL_CTX* context, const std::string& pem, TellPeer tell) {
  if (pem.size() > base::kMaxPem) return base::fail("authorities: larger than 1 MiB");
  const auto text = base::open_pem(pem);
  auto* store = SSL_CTX_get_cert_store(context);
  std::size_t count = 0;
  ERR_clear_error();
  for (;; ++count) {
    const base::X509Ptr authority(
        PEM_read_bio_X509(text.get(), nullptr, base::no_passphrase, nullptr));
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
