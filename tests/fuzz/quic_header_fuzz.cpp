// Headers of QUIC: what is read lies within the datagram and one behind the other, a datagram that
// is cut is never read as another, and is of one kind at most.
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/net/quic_header.h"

using namespace penstock::net;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto header = read_quic_long_header(bytes);
  const auto id = quic_short_header_id(bytes);
  if (!id.empty() && (header || has_quic_long_header(bytes))) std::abort();
  if (!id.empty() && id.data() + id.size() != bytes.data() + bytes.size()) std::abort();
  if (!header) return 0;
  constexpr std::size_t kVersionAndLengths = 7;
  const auto whole = kVersionAndLengths + header->destination.size() + header->source.size();
  if (whole > size || header->source.data() + header->source.size() != bytes.data() + whole) {
    std::abort();
  }
  // In a copy of its own, so that a sanitizer sees each byte too many.
  for (std::size_t end = 0; end <= whole; ++end) {
    const std::string cut(bytes.substr(0, end));
    if (read_quic_long_header(cut).has_value() != (end == whole)) std::abort();
  }
  return 0;
}
