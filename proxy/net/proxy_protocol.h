#pragma once
// The PROXY protocol, versions 1 and 2 (HAProxy's specification): whom a connection speaks for, as
// said by the proxy in front of us, and as said by us to what stands behind.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/asio.h"

namespace penstock::net {

struct ProxyAddresses {
  base::TcpEndpoint source;
  base::TcpEndpoint destination;
};

struct ProxyHeader {
  enum class State {
    kIncomplete,  // more bytes are needed
    kAbsent,      // this does not begin with a header
    kMalformed,
    kDone,
  };
  State state = State::kIncomplete;
  std::size_t size = 0;  // of the header, when done
  /// Nothing where the header names nobody (LOCAL, UNKNOWN, UNSPEC): the peer speaks for itself.
  std::optional<ProxyAddresses> addresses;
};

/// No header is longer than this: version 1 has 107 bytes, version 2 is given room for its TLVs.
inline constexpr std::size_t kMaxProxyHeader = 16 + 4096;

/// Reads the header at the beginning of `bytes`; called again with more while incomplete.
ProxyHeader parse_proxy_header(std::string_view bytes);

std::string encode_proxy_v1(const ProxyAddresses& addresses);
std::string encode_proxy_v2(const ProxyAddresses& addresses);
/// For datagrams: each one begins with it.
std::string encode_proxy_v2_datagram(const ProxyAddresses& addresses);

}  // namespace penstock::net
