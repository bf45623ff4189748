#include "proxy/session/relay.h"

#include <algorithm>

#include "proxy/base/event.h"
#include "proxy/base/token_bucket.h"
#include "proxy/net/pause.h"

namespace penstock::session {
namespace {

/// As much as is read at once into a buffer. Filled twice in a row it is no conversation but a
/// transfer.
constexpr std::size_t kRead = 16 << 10;
constexpr int kFullReads = 2;
// What somebody follows has been read into buffers before anything goes through a pipe.
static_assert(kFullReads * kRead >= telemetry::Tap::kMostBytes);
/// A pipe that brings this little, this often, costs more than a buffer.
constexpr std::size_t kLittle = 32 << 10;
constexpr int kLittleReads = 8;

constexpr Side other(Side side) { return side == Side::kClient ? Side::kUpstream : Side::kClient; }

/// One direction: how long its sender may be silent, and how fast it may be.
struct Direction final : net::Closable {
  Direction(WorkerParts& worker, BothSides& both, base::Duration longest, std::uint64_t rate)
      : sides(both),
        most_silent(longest),
        silence(worker.wheel, *this),
        bucket(rate, worker.clock.now()) {}
  void close() override { sides.close(); }
  // Only while it is waited for: who is not read from is not silent.
  void wait_begins() {
    if (most_silent.count() > 0) silence.expire_in(most_silent);
  }
  void wait_ends() { silence.cancel(); }

  BothSides& sides;
  base::Duration most_silent;
  net::Deadline silence;
  base::TokenBucket bucket;
};

struct Relaying {
  Relaying(WorkerParts& parts, net::Stream& of_client, net::Stream& of_upstream,
           const RelayOptions& wanted)
      : worker(parts),
        client(of_client),
        upstream(of_upstream),
        options(wanted),
        sides(client, upstream),
        deadline(parts.wheel, sides),
        upload(parts, sides, wanted.client_idle, wanted.bandwidth.upload),
        download(parts, sides, wanted.upstream_idle, wanted.bandwidth.download),
        idle(wanted.idle) {
    deadline.expire_in(idle);
  }

  WorkerParts& worker;
  net::Stream& client;
  net::Stream& upstream;
  const RelayOptions& options;
  BothSides sides;
  net::Deadline deadline;
  Direction upload;
  Direction download;
  base::Duration idle;         // now
  bool is_half_close = false;  // that is what `idle` is
  RelayResult result;
  base::Event other_is_done;
  bool has_one_ended = false;

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
  /// The sender has said all; so do we, towards the other. The second to end closes both.
  void end(Side from) {
    if (std::exchange(has_one_ended, true)) return;
    if (!result.error) result.side = from;
    stream(other(from)).shutdown_send();
    is_half_close =
        options.half_close.count() > 0 && (idle.count() <= 0 || options.half_close < idle);
    if (is_half_close) idle = options.half_close;
    deadline.expire_in(idle);
  }
  std::optional<base::EndReason> reason() const {
    using enum base::EndReason;
    if (upload.silence.has_expired()) return kClientIdleTimeout;
    if (download.silence.has_expired()) return kUpstreamIdleTimeout;
    if (deadline.has_expired()) return is_half_close ? kHalfCloseTimeout : kIdleTimeout;
    if (result.error == asio::error::operation_aborted) return std::nullopt;
    if (result.error) return base::broken(result.side, result.error);
    return result.side == Side::kClient ? kClientClosed : kUpstreamClosed;
  }
  Direction& direction(Side from) { return from == Side::kClient ? upload : download; }
  net::Stream& stream(Side side) const { return side == Side::kClient ? client : upstream; }
  void moved(Side from, std::size_t bytes) {
    (from == Side::kClient ? result.from_client : result.from_upstream) += bytes;
    if (options.series == nullptr) return;
    auto& counters = *options.series;
    (from == Side::kClient ? counters.bytes_received : counters.bytes_sent).add(bytes);
  }
};

/// Waits until a limited direction may go on: how many bytes, `most` at most.
base::Task<std::size_t> allowance(Relaying& both, Side from, std::size_t most) {
  auto& bucket = both.direction(from).bucket;
  net::Pause pause(both.worker.reactor);
  for (;;) {
    const auto available = bucket.available(both.worker.clock.now());
    if (available >= std::min<std::uint64_t>(most, bucket.worth())) {
      co_return std::min<std::size_t>(most, available);
    }
    co_await pause(base::TokenBucket::kPause);
  }
}

/// True: the direction has ended, in order or not. False: go on with buffers.
base::Task<bool> carry_by_pipe(Relaying& both, Side from, net::Pipe& pipe) {
  auto& source = both.stream(from);
  auto& sink = both.stream(other(from));
  auto& direction = both.direction(from);
  for (int little = 0; little < kLittleReads;) {
    auto most = net::PipePool::kPipeSize;
    if (direction.bucket.is_limited()) most = co_await allowance(both, from, most);
    direction.wait_begins();
    const auto got = co_await net::SpliceInOperation(source, pipe, most);
    direction.wait_ends();
    both.deadline.expire_in(both.idle);
    if (!got) {
      both.fail(from, got.error());
      co_return true;
    }
    if (*got == 0) {
      both.end(from);
      co_return true;
    }
    const auto moved = *got;
    direction.bucket.take(moved);
    const auto sent = co_await net::SpliceOutOperation(pipe, sink);
    if (!sent) {
      both.fail(other(from), sent.error());
      co_return true;
    }
    both.moved(from, moved);
    both.deadline.expire_in(both.idle);
    little = moved < kLittle ? little + 1 : 0;
  }
  co_return false;
}

base::Task<void> carry(Relaying& both, Side from) {
  auto& source = both.stream(from);
  auto& sink = both.stream(other(from));
  auto& direction = both.direction(from);
  const bool may_splice = source.ssl() == nullptr && sink.ssl() == nullptr;
  int full = 0;
  for (;;) {
    direction.wait_begins();
    const auto ready = co_await source.readable();
    direction.wait_ends();
    if (!ready) co_return both.fail(from, ready.error());
    auto most = full < kFullReads ? kRead : BufferPool::kSize;
    if (direction.bucket.is_limited()) most = co_await allowance(both, from, most);
    auto buffer = both.worker.buffers.lend();
    const auto got = co_await source.read_some(buffer.span().first(most));
    if (!got) co_return both.fail(from, got.error());
    both.deadline.expire_in(both.idle);
    if (*got == 0) co_return both.end(from);
    direction.bucket.take(*got);
    const std::string_view bytes(buffer.span().data(), *got);
    if (both.options.recording != nullptr) both.options.recording->add(from, bytes);
    const auto sent = co_await sink.write(bytes);
    if (!sent) co_return both.fail(other(from), sent.error());
    both.moved(from, *got);
    full = *got >= kRead ? full + 1 : 0;
    if (full < kFullReads || !may_splice) continue;
    full = 0;
    buffer.give_back();
    auto pipe = both.worker.pipes.lend();
    if (!pipe.is_open()) continue;
    const bool is_over = co_await carry_by_pipe(both, from, pipe);
    both.worker.pipes.give_back(std::move(pipe));
    if (is_over) co_return;
  }
}

base::Task<void> carry_and_tell(Relaying& both, Side from) {
  co_await carry(both, from);
  both.other_is_done.set();
}

}  // namespace

base::Task<RelayResult> relay(WorkerParts& worker, net::Stream& client, net::Stream& upstream,
                              const RelayOptions& options) {
  Relaying both(worker, client, upstream, options);
  base::spawn("relay from upstream", carry_and_tell(both, Side::kUpstream));
  co_await carry(both, Side::kClient);
  co_await both.other_is_done;
  both.result.reason = both.reason();
  client.close();
  upstream.close();
  co_return both.result;
}

}  // namespace penstock::session
