#pragma once
// TLS in a TCPService: of its listeners and towards its backends.
#include <cstdint>
#include <string>
#include <vector>

#include "controller/objects/json.h"

namespace penstock::objects {

enum class TlsMode : std::uint8_t { kOff, kPassthrough, kTerminate };
enum class ClientAuthMode : std::uint8_t { kOff, kOptional, kRequired };

enum class StartTls : std::uint8_t { kOff, kPostgres, kSmtp, kMySql };

struct SecretRef {
  std::string name;
  std::string name_space;  // empty = that of the object
};

struct ListenerTls {
  TlsMode mode = TlsMode::kOff;
  std::vector<SecretRef> certificates;  // of kTerminate: at least one
  bool allows_tls12 = true;
  std::vector<std::string> ciphers;  // OpenSSL's names or those of the RFCs
  std::vector<std::string> curves;
  std::vector<std::string> protocols;  // ALPN
  ClientAuthMode client_auth = ClientAuthMode::kOff;
  std::string client_authority;  // a Secret with ca.crt
  StartTls start_tls = StartTls::kOff;
};

struct BackendTls {
  bool is_enabled = false;
  std::string server_name;
  bool verifies = true;
  std::string authority;    // a Secret with ca.crt; empty = the authorities of the system
  std::string certificate;  // a Secret with a key pair; empty = none is presented
};

/// The tls of a listener.
ListenerTls parse_listener_tls(const Json& listener);
/// The tls of a backend. `host` is what the backend names itself, if it does: what its certificate
/// is for where nothing else is said.
BackendTls parse_backend_tls(const Json& backend, const std::string& host);
/// match.sni: names in lower case, "*.example.com" for everything below one; sorted.
std::vector<std::string> parse_server_names(const Json& match);
/// ALPN under `key`.
std::vector<std::string> parse_protocols(const Json& json, std::string_view key);

}  // namespace penstock::objects
