#include "controller/translate/tls_names.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

namespace penstock::translate {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ':';
  list += name;
}

/// Every suite that this OpenSSL offers at its default level of security.
const SSL* all_suites() {
  static const std::unique_ptr<SSL, Free> kAll = [] {
    const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_cipher_list(context.get(), "ALL:!aNULL:!eNULL");
    SSL_CTX_set_ciphersuites(context.get(),
                             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                             "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:"
                             "TLS_AES_128_CCM_8_SHA256");
    ERR_clear_error();
    return std::unique_ptr<SSL, Free>(SSL_new(context.get()));
  }();
  return kAll.get();
}

const SSL_CIPHER* find_suite(const std::string& name) {
  const auto* suites = SSL_get_ciphers(all_suites());
  for (int i = 0; i < sk_SSL_CIPHER_num(suites); ++i) {
    const auto* suite = sk_SSL_CIPHER_value(suites, i);
    const auto* standard = SSL_CIPHER_standard_name(suite);
    if (name == SSL_CIPHER_get_name(suite) || (standard != nullptr && name == standard)) {
      return suite;
    }
  }
  return nullptr;
}

}  // namespace

base::Result<CipherLists> cipher_lists(const std::vector<std::string>& names) {
  CipherLists lists;
  for (const auto& name : names) {
    const auto* suite = find_suite(name);
    if (suite == nullptr) {
      return base::fail(fmt::format("expected names of cipher suites, '{}' is not known", name));
    }
    const bool is_tls13 = std::string_view(SSL_CIPHER_get_version(suite)) == "TLSv1.3";
    append(is_tls13 ? lists.tls13 : lists.ciphers, SSL_CIPHER_get_name(suite));
  }
  return lists;
}

base::Result<std::string> curve_list(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) {
    const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_server_method()));
    const bool is_known = SSL_CTX_set1_groups_list(context.get(), name.c_str()) == 1;
    ERR_clear_error();
    if (!is_known) {
      return base::fail(fmt::format("expected names of curves, '{}' is not known", name));
    }
    append(list, name);
  }
  return list;
}

}  // namespace penstock::translate
