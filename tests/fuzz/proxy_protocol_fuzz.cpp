// PROXY headers: a whole one is found at its last byte and not before, and what is read can be
// written and read again.
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/net/proxy_protocol.h"

using namespace penstock::net;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto header = parse_proxy_header(bytes);
  if (header.state != ProxyHeader::State::kDone) return 0;
  if (header.size > bytes.size() || header.size > kMaxProxyHeader) std::abort();
  const auto before = parse_proxy_header(bytes.substr(0, header.size - 1));
  if (before.state != ProxyHeader::State::kIncomplete) std::abort();
  if (!header.addresses) return 0;
  for (const auto& text : {encode_proxy_v1(*header.addresses), encode_proxy_v2(*header.addresses)}) {
    const auto again = parse_proxy_header(text);
    if (again.state != ProxyHeader::State::kDone || again.size != text.size()) std::abort();
  }
  return 0;
}
