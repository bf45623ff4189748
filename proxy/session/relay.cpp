#include "proxy/session/relay.h"

#include <memory>
#include <span>

#include "proxy/base/event.h"

namespace penstock::session {
namespace {

constexpr std::size_t kBufferSize = 16 << 10;

struct Relaying {
  net::Stream& client;
  net::Stream& upstream;
  net::Deadline& deadline;
  base::Duration idle;
  RelayResult result;
  base::Event other_is_done;

  void fail(Side side, base::error_code code) {
    if (!result.error) {
      result.error = code;
      result.side = side;
    }
    // RST is passed on as RST, and a direction that cannot go on must not look complete.
    client.reset_on_close();
    upstream.reset_on_close();
    client.close();
    upstream.close();
  }
};

base::Task<void> carry(Relaying& both, Side from_side) {
  auto& from = from_side == Side::kClient ? both.client : both.upstream;
  auto& to = from_side == Side::kClient ? both.upstream : both.client;
  const auto to_side = from_side == Side::kClient ? Side::kUpstream : Side::kClient;
  auto& count = from_side == Side::kClient ? both.result.from_client : both.result.from_upstream;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferSize);
  for (;;) {
    const auto got = co_await from.read_some(std::span(buffer.get(), kBufferSize));
    if (!got) {
      both.fail(from_side, got.error());
      co_return;
    }
    both.deadline.expire_in(both.idle);
    if (*got == 0) {
      to.shutdown_send();
      co_return;
    }
    const auto sent = co_await to.write(std::string_view(buffer.get(), *got));
    if (!sent) {
      both.fail(to_side, sent.error());
      co_return;
    }
    count += *got;
    both.deadline.expire_in(both.idle);
  }
}

base::Task<void> carry_and_tell(Relaying& both, Side from_side) {
  co_await carry(both, from_side);
  both.other_is_done.set();
}

}  // namespace

base::Task<RelayResult> relay(net::Stream& client, net::Stream& upstream, net::DeadlineWheel& wheel,
                              base::Duration idle) {
  BothSides sides(client, upstream);
  net::Deadline deadline(wheel, sides);
  deadline.expire_in(idle);
  Relaying both{client, upstream, deadline, idle, {}, {}};
  base::spawn("relay from upstream", carry_and_tell(both, Side::kUpstream));
  co_await carry(both, Side::kClient);
  co_await both.other_is_done;
  both.result.is_idle_timeout = deadline.has_expired();
  client.close();
  upstream.close();
  co_return both.result;
}

}  // namespace penstock::session
