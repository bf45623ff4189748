#include "proxy/net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include <string>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/net/tls_authorities.h"

namespace penstock::net {
namespace {

/// Only http/1.1 is spoken.
constexpr std::string_view kHttp11 = "\x08http/1.1";

bool has_accepted(int result) {
  ERR_clear_error();
  return result == 1;
}

std::string on_the_wire(const std::vector<std::string>& protocols) {
  std::string out;
  for (const auto& each : protocols) {
    out += static_cast<char>(each.size());
    out += each;
  }
  return out;
}

void set_versions(SSL_CTX* context, bool allows_tls12, bool allows_tls13) {
  SSL_CTX_set_min_proto_version(context, allows_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, allows_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
}

}  // namespace

TlsServerContext::TlsServerContext(FindIdentity find)
    : find_identity_(std::move(find)), context_(SSL_CTX_new(TLS_server_method())) {
  auto* context = context_.get();
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  static constexpr std::string_view kSessionScope = "penstock";
  SSL_CTX_set_session_id_context(
      context, reinterpret_cast<const unsigned char*>(kSessionScope.data()), kSessionScope.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, 20'000);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, this);
  SSL_CTX_set_cert_cb(context, choose_certificate, this);
}

base::Result<std::unique_ptr<TlsServerContext>> TlsServerContext::make(
    const snapshot::TlsSettings& settings, FindIdentity find_identity) {
  std::unique_ptr<TlsServerContext> made(new TlsServerContext(std::move(find_identity)));
  auto* context = made->context_.get();
  made->protocols_ = kHttp11;
  set_versions(context, settings.allows_tls12, settings.allows_tls13);
  SSL_CTX_set_timeout(context, settings.session_timeout.count() / 1000);
  if (!has_accepted(SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()))) {
    return base::fail(fmt::format("ssl-ciphers: OpenSSL knows none of '{}'", settings.ciphers));
  }
  return made;
}

base::Result<std::unique_ptr<TlsServerContext>> TlsServerContext::make(
    const snapshot::StreamTls& settings, FindIdentity find_identity) {
  std::unique_ptr<TlsServerContext> made(new TlsServerContext(std::move(find_identity)));
  if (auto used = made->use(settings); !used) return std::unexpected(used.error());
  return made;
}

base::Result<void> TlsServerContext::use(const snapshot::StreamTls& settings) {
  auto* context = context_.get();
  set_versions(context, settings.allows_tls12, true);
  protocols_ = on_the_wire(settings.protocols);
  must_agree_ = true;
  const auto ciphers =
      settings.ciphers.empty() ? snapshot::TlsSettings().ciphers : settings.ciphers;
  if (!has_accepted(SSL_CTX_set_cipher_list(context, ciphers.c_str()))) {
    return base::fail(fmt::format("ciphers: OpenSSL knows none of '{}'", ciphers));
  }
  if (!settings.tls13_ciphers.empty() &&
      !has_accepted(SSL_CTX_set_ciphersuites(context, settings.tls13_ciphers.c_str()))) {
    return base::fail(fmt::format("tls13_ciphers: not known: '{}'", settings.tls13_ciphers));
  }
  if (!settings.curves.empty() &&
      !has_accepted(SSL_CTX_set1_groups_list(context, settings.curves.c_str()))) {
    return base::fail(fmt::format("curves: not known: '{}'", settings.curves));
  }
  if (settings.client_auth == snapshot::ClientAuth::kOff) return {};
  const bool is_required = settings.client_auth == snapshot::ClientAuth::kRequired;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return trust(context, settings.client_authorities_pem, TellPeer::kYes);
}

/// ALPN, by our preference. A client of HTTPS that offers nothing we know goes on without, as in
/// nginx; a stream's is refused (RFC 7301 3.2), for nothing else says what it would speak.
int TlsServerContext::choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                                      const unsigned char* offered, unsigned offered_size,
                                      void* self) {
  const auto& context = *static_cast<const TlsServerContext*>(self);
  const auto& ours = context.protocols_;
  if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return context.must_agree_ ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
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

base::Result<std::unique_ptr<TlsClientContext>> TlsClientContext::make(
    const std::string& authorities_pem) {
  auto made = std::make_unique<TlsClientContext>();
  if (authorities_pem.empty()) return made;
  SSL_CTX_set_cert_store(made->context_.get(), X509_STORE_new());
  auto trusted = trust(made->context_.get(), authorities_pem, TellPeer::kNo);
  if (!trusted) return std::unexpected(trusted.error());
  return made;
}

SslPtr TlsClientContext::new_session(const std::string& server_name, bool verifies) {
  SslPtr ssl(SSL_new(context_.get()));
  SSL_set_connect_state(ssl.get());
  // RFC 6066 3: an address is never sent as a name.
  const bool is_address = !server_name.empty() && base::parse_address(server_name).has_value();
  if (!server_name.empty() && !is_address) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  if (!verifies) return ssl;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name.c_str());
  } else {
    SSL_set1_host(ssl.get(), server_name.c_str());
  }
  SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
  return ssl;
}

std::string tls_failure(const Stream& stream) {
  std::string text = stream.tls_error();
  if (stream.ssl() == nullptr) return text;
  const auto verdict = SSL_get_verify_result(stream.ssl());
  if (verdict == X509_V_OK) return text;
  return fmt::format("{}: {}", text, X509_verify_cert_error_string(verdict));
}

}  // namespace penstock::net
