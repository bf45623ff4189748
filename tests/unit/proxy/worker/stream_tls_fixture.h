#pragma once
// A TCP port with TLS of a real worker, and who speaks to it.
#include "proxy/base/ip_net.h"
#include "proxy/net/proxy_protocol.h"
#include "tests/support/certificates.h"
#include "tests/support/client_hello.h"
#include "tests/support/tls_peer.h"
#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {

using snapshot::StreamTlsMode;
using test::TlsPeer;
using test::TlsPeerOptions;

/// A blocking connection to a port.
class Connection {
 public:
  explicit Connection(std::uint16_t port) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
  }
  int descriptor() { return socket_.native_handle(); }
  void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  std::string receive(std::size_t size) {
    boost::system::error_code code;
    std::string text(size, '\0');
    text.resize(asio::read(socket_, asio::buffer(text), code));
    return text;
  }
  std::string receive_all() {
    boost::system::error_code code;
    std::string text;
    asio::read(socket_, asio::dynamic_buffer(text), code);
    return text;
  }

 private:
  asio::io_context io_;
  asio::ip::tcp::socket socket_{io_};
};

/// Says its name and what it was sent.
inline auto named(const std::string& name) {
  return [name](asio::ip::tcp::socket& socket) {
    std::string all;
    boost::system::error_code code;
    asio::read(socket, asio::dynamic_buffer(all), code);
    asio::write(socket, asio::buffer(name + " got " + all), code);
  };
}

/// A TLS server that says its name, the server name it was asked for, and what it was sent.
inline auto secure_named(const std::string& name, TlsPeerOptions options) {
  return [name, options = std::move(options)](asio::ip::tcp::socket& socket) {
    TlsPeer peer(socket.native_handle(), TlsPeer::kServer, options);
    if (!peer.is_secured()) return;
    const auto text = peer.receive_all();
    peer.send(name + "/" + peer.server_name() + " got " + text);
    peer.end();
  };
}

class StreamTlsTest : public WorkerTest {
 protected:
  StreamTlsTest() {
    stream_.address = "127.0.0.1";
    stream_.port = free_port();
    stream_.name = "tcp/" + std::to_string(stream_.port);
    stream_.owner = "TCPService a/b";
  }
  void serve() {
    set(snapshot::PartKind::kStream, stream_.name, stream_);
    EXPECT_TRUE(adopt().empty());
  }
  void set_certificate(const std::string& name, const test::PemPair& pair) {
    set(snapshot::PartKind::kCertificate, name, snapshot::Certificate{name, pair.chain, pair.key});
  }
  void terminate(std::vector<std::string> certificates) {
    stream_.tls.mode = StreamTlsMode::kTerminate;
    stream_.tls.certificates = std::move(certificates);
  }
  snapshot::StreamRule rule(const std::string& upstream, std::vector<std::string> names = {},
                            std::vector<std::string> protocols = {}) {
    snapshot::StreamRule made;
    made.backends.resize(1);
    made.backends[0].upstream = upstream;
    made.server_names = std::move(names);
    made.protocols = std::move(protocols);
    return made;
  }
  /// Encrypts towards the backend, whose certificate must be `pair_`.
  snapshot::BackendTls& encrypt(snapshot::StreamRule& rule) const {
    auto& tls = rule.backends[0].tls;
    tls.is_enabled = true;
    tls.server_name = "db.example.com";
    tls.authorities_pem = pair_.chain;
    return tls;
  }
  /// What a TLS client gets for "hello", or "failed: <why>".
  std::string ask(const TlsPeerOptions& options = {}) {
    Connection connection(stream_.port);
    TlsPeer peer(connection.descriptor(), TlsPeer::kClient, options);
    if (!peer.is_secured()) return "failed: " + peer.failure();
    peer.send("hello");
    peer.end();
    auto text = peer.receive_all();
    return text.empty() ? "failed: " + peer.failure() : text;
  }
  std::string ask_for(const std::string& server_name) {
    TlsPeerOptions options;
    options.server_name = server_name;
    return ask(options);
  }

  snapshot::Stream stream_;
  const test::PemPair pair_ = test::make_certificate({"db.example.com"});
};

}  // namespace penstock::worker
