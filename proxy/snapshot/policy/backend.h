#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

enum class BackendProtocol : std::uint8_t { kHttp, kHttps };
template <>
struct EnumNames<BackendProtocol> {
  static constexpr std::array<std::string_view, 2> names = {"http", "https"};
};

/// How a route speaks to its upstream.
struct Backend {
  BackendProtocol protocol = BackendProtocol::kHttp;
  std::string virtual_host;           // Host header for the upstream; empty = the client's
  bool verifies_certificate = false;  // HTTPS only (nginx proxy_ssl_verify)

  template <class Archive>
  void describe(Archive& archive) {
    archive("protocol", protocol)("virtual_host", virtual_host)("verifies_certificate",
                                                                verifies_certificate);
  }
  bool operator==(const Backend&) const = default;
};

}  // namespace penstock::snapshot
