// Hellos of TLS clients: however the bytes are cut, the scanner says the same of them, holds no
// more than its limit, and gives only names that a host can have.
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/net/client_hello.h"

using namespace penstock::net;
using State = ClientHelloScanner::State;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ClientHelloScanner whole;
  const auto state = whole.scan(bytes);
  if (state == State::kIncomplete && size >= kMaxClientHello) std::abort();
  ClientHelloScanner cut;
  auto by_bytes = State::kIncomplete;
  for (std::size_t end = 0; end <= size && by_bytes == State::kIncomplete; ++end) {
    by_bytes = cut.scan(bytes.substr(0, end));
  }
  if (by_bytes != state) std::abort();
  if (state != State::kDone) return 0;
  const auto& hello = whole.hello();
  if (hello.server_name != cut.hello().server_name || hello.protocols != cut.hello().protocols) {
    std::abort();
  }
  if (hello.server_name.size() > 255 || hello.server_name.find('\0') != std::string::npos) {
    std::abort();
  }
  hello.offers("h2");
  return 0;
}
