#include "proxy/session/clear_io.h"

#include <span>

namespace penstock::session {

base::Task<bool> fill(net::Stream& stream, std::string& bytes, std::size_t size) {
  while (bytes.size() < size) {
    const auto before = bytes.size();
    bytes.resize(size);
    const auto got = co_await stream.read_some(std::span(bytes).subspan(before));
    bytes.resize(before + (got ? *got : 0));
    if (!got || *got == 0) co_return false;
  }
  co_return true;
}

base::Task<bool> say(net::Stream& stream, std::string_view text) {
  const auto sent = co_await stream.write(text);
  co_return sent.has_value();
}

}  // namespace penstock::session
