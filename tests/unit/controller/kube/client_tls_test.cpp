// Whom the client trusts and how it shows who it is, against a TLS server of the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl.hpp>
#include <thread>

#include "controller/kube/client.h"
#include "scripted_server.h"

namespace penstock::kube {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

/// A key with its certificate, signed by `issuer` or by itself.
class Identity {
 public:
  Identity(const std::string& name, const Identity* issuer, const std::string& alternative = "")
      : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate_), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    const auto* signer = issuer == nullptr ? this : issuer;
    X509_set_issuer_name(certificate_, X509_get_subject_name(signer->certificate_));
    if (issuer == nullptr) add(NID_basic_constraints, "critical,CA:TRUE");
    if (!alternative.empty()) add(NID_subject_alt_name, alternative);
    X509_sign(certificate_, signer->key_, EVP_sha256());
  }
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  ~Identity() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  std::string certificate_pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate_);
    return text_of(bio);
  }
  std::string key_pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key_, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(bio);
  }

 private:
  void add(int extension, const std::string& value) {
    X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, nullptr, extension, value.c_str());
    X509_add_ext(certificate_, made, -1);
    X509_EXTENSION_free(made);
  }
  EVP_PKEY* key_;
  X509* certificate_;
};

/// Serves one connection on a thread of its own; answers with the client certificate's subject.
class TlsServer {
 public:
  TlsServer(const Identity& identity, const Identity& client_authority)
      : context_(asio::ssl::context::tls_server),
        acceptor_(io_, {asio::ip::address_v4::loopback(), 0}),
        port_(acceptor_.local_endpoint().port()) {
    context_.use_certificate_chain(asio::buffer(identity.certificate_pem()));
    context_.use_private_key(asio::buffer(identity.key_pem()), asio::ssl::context::pem);
    context_.add_certificate_authority(asio::buffer(client_authority.certificate_pem()));
    context_.set_verify_mode(asio::ssl::verify_peer);
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsServer() { thread_.join(); }
  std::string url() const { return fmt::format("https://127.0.0.1:{}", port_); }

 private:
  void serve() {
    boost::system::error_code code;
    asio::ssl::stream<asio::ip::tcp::socket> stream(acceptor_.accept(), context_);
    stream.handshake(asio::ssl::stream_base::server, code);
    if (code) return;
    std::string input;
    asio::read_until(stream, asio::dynamic_buffer(input), "\r\n\r\n", code);
    if (code) return;
    std::string body = "nobody";
    if (X509* peer = SSL_get_peer_certificate(stream.native_handle())) {
      char name[256];
      body = X509_NAME_oneline(X509_get_subject_name(peer), name, sizeof(name));
      X509_free(peer);
    }
    const auto reply =
        fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
    asio::write(stream, asio::buffer(reply), code);
    stream.shutdown(code);
  }
  asio::io_context io_;
  asio::ssl::context context_;
  asio::ip::tcp::acceptor acceptor_;
  unsigned short port_;
  std::thread thread_;
};

class ClientTls : public testing::Test {
 protected:
  Response get(const Identity& server_identity, ClusterAccess access) {
    TlsServer server(server_identity, authority_);
    access.server = server.url();
    asio::io_context io;
    std::optional<Response> response;
    {
      Client client(io, access);
      const auto call = client.get("/", [&](Response r) { response = std::move(r); });
      EXPECT_TRUE(run_until(io, [&] { return response.has_value(); }));
    }
    return response.value_or(Response());
  }
  Identity authority_{"authority", nullptr};
  Identity other_authority_{"other", nullptr};
};

TEST_F(ClientTls, OwnAuthorityAndClientCertificate) {
  const Identity server("api", &authority_, "IP:127.0.0.1");
  const Identity user("the-user", &authority_);
  ClusterAccess access;
  access.ca_pem = authority_.certificate_pem();
  EXPECT_EQ(get(server, access).body, "nobody");
  access.client_certificate_pem = user.certificate_pem();
  access.client_key_pem = user.key_pem();
  EXPECT_EQ(get(server, access).body, "/CN=the-user");
}

TEST_F(ClientTls, RefusesAnotherAuthority) {
  const Identity server("api", &authority_, "IP:127.0.0.1");
  ClusterAccess access;
  EXPECT_EQ(get(server, access).status, 0);  // the system's authorities
  access.ca_pem = other_authority_.certificate_pem();
  const auto response = get(server, access);
  EXPECT_EQ(response.status, 0);
  EXPECT_FALSE(response.failure.empty());
}

TEST_F(ClientTls, RefusesACertificateForAnotherName) {
  const Identity server("127.0.0.2", &authority_, "IP:127.0.0.2,DNS:api.example");
  ClusterAccess access;
  access.ca_pem = authority_.certificate_pem();
  EXPECT_EQ(get(server, access).status, 0);
}

TEST_F(ClientTls, SkipsVerificationWhenTold) {
  const Identity server("api", &other_authority_, "DNS:api.example");
  ClusterAccess access;
  access.skips_tls_verify = true;
  EXPECT_EQ(get(server, access).status, 200);
}

}  // namespace
}  // namespace penstock::kube
