#pragma once
// Hellos as OpenSSL's clients send them, and the same message spread over records.
#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace penstock::test {

/// The first flight of a client: one record. `protocols` is ALPN as on the wire.
inline std::string make_client_hello(const std::string& server_name,
                                     const std::string& protocols = {},
                                     int version = TLS1_3_VERSION) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, version);
  SSL* ssl = SSL_new(context);
  if (!server_name.empty()) SSL_set_tlsext_host_name(ssl, server_name.c_str());
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(out, &data);
  std::string hello(data, static_cast<std::size_t>(size));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

/// The message of one record as several of at most `size` bytes.
inline std::string spread_over_records(std::string_view record, std::size_t size) {
  std::string out;
  auto message = record.substr(5);
  while (!message.empty()) {
    const auto part = message.substr(0, size);
    out += record.substr(0, 3);
    out += static_cast<char>(part.size() >> 8);
    out += static_cast<char>(part.size() & 0xff);
    out += part;
    message.remove_prefix(part.size());
  }
  return out;
}

}  // namespace penstock::test
