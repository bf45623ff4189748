#pragma once
// The other end of a TLS connection, over a blocking socket: a client or a server.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>

#include <csignal>

#include <string>
#include <string_view>

#include "tests/support/certificates.h"

namespace penstock::test {

struct TlsPeerOptions {
  std::string server_name;  // of a client; empty = none is sent
  std::string protocols;    // ALPN as on the wire, of a client
  PemPair pair;             // presented; empty = none
  std::string authority;    // the peer must present this certificate; empty = any
  int max_version = TLS1_3_VERSION;
};

class TlsPeer {
 public:
  static constexpr bool kServer = true;
  static constexpr bool kClient = false;

  TlsPeer(int descriptor, bool is_server, const TlsPeerOptions& options)
      : context_(SSL_CTX_new(TLS_method())) {
    // OpenSSL's own way to write to a socket raises it where the peer has gone. In this thread
    // alone: what is tested must do without.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    SSL_CTX_set_max_proto_version(context_, options.max_version);
    if (!options.pair.chain.empty()) use(options.pair);
    if (!options.authority.empty()) trust(options.authority);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, descriptor);
    if (!options.server_name.empty()) SSL_set_tlsext_host_name(ssl_, options.server_name.c_str());
    if (!options.protocols.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.protocols.data()),
                          static_cast<unsigned>(options.protocols.size()));
    }
    is_secured_ = (is_server ? SSL_accept(ssl_) : SSL_connect(ssl_)) == 1;
    if (!is_secured_) note_failure();
  }
  ~TlsPeer() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  bool is_secured() const { return is_secured_; }
  const std::string& failure() const { return failure_; }
  void send(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  /// Ends our direction.
  void end() { SSL_shutdown(ssl_); }
  /// Until the peer's end, or a failure.
  std::string receive_all() {
    std::string text;
    for (;;) {
      char buffer[4096];
      const auto got = SSL_read(ssl_, buffer, sizeof buffer);
      if (got <= 0) {
        if (SSL_get_error(ssl_, got) != SSL_ERROR_ZERO_RETURN) note_failure();
        return text;
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
  }
  std::string receive(std::size_t size) {
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const auto got = SSL_read(ssl_, text.data() + done, static_cast<int>(size - done));
      if (got <= 0) {
        note_failure();
        break;
      }
      done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
  }
  std::string server_name() const {
    const auto* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? "" : name;
  }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string version() const { return SSL_get_version(ssl_); }
  std::string cipher() const { return SSL_get_cipher_name(ssl_); }
  bool was_resumed() const { return SSL_session_reused(ssl_) == 1; }
  /// Of the peer, as PEM; empty without one.
  std::string peer_certificate() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    if (certificate == nullptr) return {};
    auto* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    X509_free(certificate);
    return take_text(bio);
  }

 private:
  void use(const PemPair& pair) {
    auto* chain = BIO_new_mem_buf(pair.chain.data(), static_cast<int>(pair.chain.size()));
    auto* key = BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size()));
    X509* certificate = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
    EVP_PKEY* private_key = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context_, certificate);
    SSL_CTX_use_PrivateKey(context_, private_key);
    X509_free(certificate);
    EVP_PKEY_free(private_key);
    BIO_free(chain);
    BIO_free(key);
  }
  void trust(const std::string& authority) {
    auto* text = BIO_new_mem_buf(authority.data(), static_cast<int>(authority.size()));
    X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), certificate);
    X509_free(certificate);
    BIO_free(text);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  void note_failure() {
    const auto code = ERR_peek_last_error();
    const auto* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    failure_ = reason != nullptr ? reason : "connection closed";
    ERR_clear_error();
  }

  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  bool is_secured_ = false;
  std::string failure_;
};

}  // namespace penstock::test
