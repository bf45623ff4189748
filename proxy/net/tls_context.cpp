#include "proxy/net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>

#include "proxy/base/text.h"

namespace penstock::net {
namespace {

/// ALPN: only http/1.1 is spoken; a client that offers nothing we know goes on without (RFC 7301
/// 3.2 would allow to refuse; nginx goes on).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr std::array<unsigned char, 9> kHttp11 = {8,   'h', 't', 't', 'p',
                                                           '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kHttp11.data(), kHttp11.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

base::Result<std::unique_ptr<TlsServerContext>> TlsServerContext::make(
    const snapshot::TlsSettings& settings, FindIdentity find_identity) {
  std::unique_ptr<TlsServerContext> made(new TlsServerContext(std::move(find_identity)));
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  auto* context = made->context_.get();
  SSL_CTX_set_min_proto_version(context, settings.allows_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, settings.allows_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()) != 1) {
    ERR_clear_error();
    return base::fail(fmt::format("ssl-ciphers: OpenSSL knows none of '{}'", settings.ciphers));
  }
  static constexpr std::string_view kSessionScope = "penstock";
  SSL_CTX_set_session_id_context(
      context, reinterpret_cast<const unsigned char*>(kSessionScope.data()), kSessionScope.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, 20'000);
  SSL_CTX_set_timeout(context, settings.session_timeout.count() / 1000);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_cert_cb(context, choose_certificate, made.get());
  return made;
}

int TlsServerContext::choose_certificate(SSL* ssl, void* self) {
  const auto* sent = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  auto name = base::to_lower(sent != nullptr ? sent : "");
  if (name.ends_with('.')) name.pop_back();
  const auto identity = static_cast<TlsServerContext*>(self)->find_identity_(name);
  return identity && identity->apply(ssl) ? 1 : 0;
}

SslPtr TlsServerContext::new_session() {
  SslPtr ssl(SSL_new(context_.get()));
  SSL_set_accept_state(ssl.get());
  return ssl;
}

TlsClientContext::TlsClientContext() : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_default_verify_paths(context_.get());
  SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS);
}

SslPtr TlsClientContext::new_session(const std::string& server_name, bool verifies) {
  SslPtr ssl(SSL_new(context_.get()));
  SSL_set_connect_state(ssl.get());
  if (!server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  if (verifies) {
    SSL_set1_host(ssl.get(), server_name.c_str());
    SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
  }
  return ssl;
}

}  // namespace penstock::net
