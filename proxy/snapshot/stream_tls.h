#pragma once
// TLS of a TCP port and towards its backends.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

enum class StreamTlsMode : std::uint8_t {
  kOff,
  kPassthrough,  // the hello is read, nothing is decrypted
  kTerminate,
};
template <>
struct EnumNames<StreamTlsMode> {
  static constexpr std::array<std::string_view, 3> names = {"off", "passthrough", "terminate"};
};

enum class ClientAuth : std::uint8_t { kOff, kOptional, kRequired };
template <>
struct EnumNames<ClientAuth> {
  static constexpr std::array<std::string_view, 3> names = {"off", "optional", "required"};
};

/// What is spoken in the clear before TLS begins.
enum class StartTls : std::uint8_t {
  kOff,
  kPostgres,
  kSmtp,
  kMySql,  // the server speaks first: the rule is chosen without a name, and its backends have TLS
};
template <>
struct EnumNames<StartTls> {
  static constexpr std::array<std::string_view, 4> names = {"off", "postgres", "smtp", "mysql"};
};

struct StreamTls {
  StreamTlsMode mode = StreamTlsMode::kOff;
  // Of kTerminate. The certificate that covers the server name is presented, else the first;
  // without one every handshake fails, which is how a port stays closed whose Secrets are not
  // usable.
  std::vector<std::string> certificates;  // names of parts
  bool allows_tls12 = true;
  std::string ciphers;                 // of TLS 1.2 as OpenSSL writes them; empty = as for HTTPS
  std::string tls13_ciphers;           // empty = OpenSSL's own
  std::string curves;                  // empty = OpenSSL's own
  std::vector<std::string> protocols;  // ALPN, in the order of our choice; empty = none is chosen
  ClientAuth client_auth = ClientAuth::kOff;
  std::string client_authorities_pem;
  StartTls start_tls = StartTls::kOff;  // also towards backends with TLS

  template <class Archive>
  void describe(Archive& archive) {
    archive("mode", mode)("certificates", certificates)("allows_tls12", allows_tls12)(
        "ciphers", ciphers)("tls13_ciphers", tls13_ciphers)("curves", curves)(
        "protocols", protocols)("client_auth", client_auth)(
        "client_authorities_pem", client_authorities_pem)("start_tls", start_tls);
  }
  bool operator==(const StreamTls&) const = default;
};

struct BackendTls {
  bool is_enabled = false;
  std::string server_name;  // sent, and what the certificate must name
  bool verifies = true;
  std::string authorities_pem;  // empty = those of the system
  std::string certificate;      // of ours, by the name of its part; empty = none

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_enabled", is_enabled)("server_name", server_name)("verifies", verifies)(
        "authorities_pem", authorities_pem)("certificate", certificate);
  }
  bool operator==(const BackendTls&) const = default;
};

}  // namespace penstock::snapshot
