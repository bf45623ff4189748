#include "proxy/session/proxy_header.h"

#include <algorithm>

namespace penstock::session {
namespace {

using State = net::ProxyHeader::State;

// The shortest header of each version, and where version 2 says its length.
constexpr std::size_t kShortest = 12;
constexpr std::size_t kV2Fixed = 16;

/// How many bytes can be read without reading beyond the header.
std::size_t missing(std::string_view bytes) {
  if (bytes.size() < kShortest) return kShortest - bytes.size();
  if (bytes.front() == 'P') return 1;
  if (bytes.size() < kV2Fixed) return kV2Fixed - bytes.size();
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[14])) << 8 |
                      static_cast<unsigned char>(bytes[15]);
  return kV2Fixed + length - bytes.size();
}

/// What a deadline ends: the read alone.
class PendingRead final : public net::Closable {
 public:
  explicit PendingRead(net::Stream& stream) : stream_(stream) {}
  void close() override { stream_.abort_read(); }

 private:
  net::Stream& stream_;
};

}  // namespace

base::Task<bool> speaks_within(net::Stream& stream, net::DeadlineWheel& wheel,
                               base::Duration time) {
  PendingRead read(stream);
  net::Deadline deadline(wheel, read);
  deadline.expire_in(time);
  const auto ready = co_await stream.readable();
  co_return ready.has_value();
}

base::Task<ReadProxyHeader> read_proxy_header(net::Stream& stream) {
  ReadProxyHeader out;
  for (;;) {
    static_cast<net::ProxyHeader&>(out) = net::parse_proxy_header(out.bytes);
    if (out.state != State::kIncomplete) co_return out;
    const auto before = out.bytes.size();
    const auto size = std::min(missing(out.bytes), net::kMaxProxyHeader - before);
    out.bytes.resize(before + size);
    const auto got = co_await stream.read_some(std::span(out.bytes.data() + before, size));
    out.bytes.resize(before + (got ? *got : 0));
    if (!got || *got == 0) {
      out.state = State::kMalformed;
      co_return out;
    }
  }
}

}  // namespace penstock::session
