// TLS 1.3, full handshakes or resumed ones. The certificate is not checked: that would be work of
// this side only.
#include <errno.h>

#include "generator.h"

static SSL_CTX* context;

/// The newest session of a connection is the one to resume.
static int keep_session(SSL* ssl, SSL_SESSION* session) {
  struct Client* c = SSL_get_app_data(ssl);
  SSL_SESSION_free(c->session);
  c->session = session;
  return 1;
}

void tls_init(void) {
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL) die("SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  // One suite and one group, so that all contenders do the same work.
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set1_groups_list(context, "X25519");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (options.resumes) SSL_CTX_sess_set_new_cb(context, keep_session);
}

void tls_open(struct Client* c) {
  c->ssl = SSL_new(context);
  if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) die("SSL_new");
  SSL_set_app_data(c->ssl, c);
  SSL_set_tlsext_host_name(c->ssl, "bench.test");
  if (c->session != NULL) SSL_set_session(c->ssl, c->session);
  SSL_set_connect_state(c->ssl);
}

static bool waits(SSL* ssl, int result) {
  const int error = SSL_get_error(ssl, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

bool tls_handshake(struct Client* c) {
  const int result = SSL_do_handshake(c->ssl);
  if (result == 1) {
    totals.resumed += SSL_session_reused(c->ssl) == 1;
    return true;
  }
  if (!waits(c->ssl, result)) broken(c, "the TLS handshake failed");
  return false;
}

ssize_t tls_read(struct Client* c, char* bytes, size_t size) {
  const int result = SSL_read(c->ssl, bytes, (int)size);
  if (result > 0) return result;
  if (waits(c->ssl, result)) {
    errno = EAGAIN;
    return -1;
  }
  if (SSL_get_error(c->ssl, result) == SSL_ERROR_ZERO_RETURN) return 0;
  errno = EPROTO;
  return -1;
}

ssize_t tls_write(struct Client* c, const char* bytes, size_t size) {
  const int result = SSL_write(c->ssl, bytes, (int)size);
  if (result > 0) return result;
  errno = waits(c->ssl, result) ? EAGAIN : EPROTO;
  return -1;
}

void tls_close(struct Client* c) {
  if (c->ssl == NULL) return;
  // As if both sides had said good-bye: else OpenSSL forbids to resume the session.
  SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(c->ssl);
  c->ssl = NULL;
}
