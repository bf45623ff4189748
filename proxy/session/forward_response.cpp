// The second half of an exchange: the upstream's answer on its way to the client.
#include <algorithm>

#include "proxy/http/h1_parser.h"
#include "proxy/session/forward.h"
#include "proxy/session/relay.h"
#include "proxy/session/splice_body.h"

namespace penstock::session {
namespace {

constexpr std::size_t kMaxResponseHead = 32 << 10;
constexpr std::size_t kFirstRead = 16 << 10;
constexpr int kMaxInterimResponses = 16;
/// Up to here copying a piece behind its head is cheaper than handing the kernel two.
constexpr std::size_t kWorthGathering = 8 << 10;
/// The limit on a client that does not read (nginx send_timeout).
constexpr http::HeadLimits kLimits{.max_line = kMaxResponseHead,
                                   .max_head = kMaxResponseHead,
                                   .max_fields = 256,
                                   .keeps_underscores = true};

}  // namespace

/// The next bytes of the answer, behind those that are there. No buffer is held before they come.
base::Task<Forward::Result> Forward::read_more_head() {
  auto& stream = connection_->stream;
  const auto ready = co_await stream.readable();
  if (!head_buffer_) head_buffer_ = worker_.buffers.lend();
  // A short first read: what is large goes on through a pipe, and need not be copied at all.
  const auto rest = head_buffer_.span().subspan(head_.size());
  const auto space = rest.first(std::min(rest.size(), kFirstRead));
  base::IoResult<std::size_t> got = ready;
  if (ready) got = co_await stream.read_some(space);
  if (got && *got > 0) {
    head_ = {head_buffer_.span().data(), head_.size() + *got};
    co_return Result::kDone;
  }
  auto failure = broken(got ? base::error_code() : got.error());
  if (got) failure.reason = base::EndReason::kUpstreamClosed;
  failure.is_stale = is_reused_ && head_.empty() && !failure.is_timeout;
  co_return fail(failure);
}

base::Task<Forward::Result> Forward::read_response_head() {
  http::HeadScanner scanner;
  auto& response = work_.response;
  std::size_t used = 0;  // by interim answers
  head_ = {};
  for (int interim = 0; interim <= kMaxInterimResponses;) {
    const auto size = scanner.scan(head_.substr(used));
    if (size == 0) {
      if (head_.size() - used >= kMaxResponseHead || head_.size() == BufferPool::kSize) break;
      const auto more = co_await read_more_head();
      if (more == Result::kFailed) co_return more;
      continue;
    }
    const auto head = head_.substr(used, size);
    used += size;
    if (http::parse_response_head(head, kLimits, exchange_.request->method, response)) break;
    if (response.status == 101 && !exchange_.request->upgrades_to_websocket) break;
    if (response.status >= 200 || response.status == 101) {
      body_start_ = head_.substr(used);
      co_return Result::kDone;
    }
    ++interim;
  }
  Failure failure;
  failure.is_invalid = true;
  failure.reason = base::EndReason::kBadResponse;
  co_return fail(failure);
}

base::Task<Forward::Result> Forward::relay_response() {
  const auto& request = *exchange_.request;
  const auto& response = work_.response;
  const bool is_chunked =
      request.minor_version >= 1 && (response.framing == http::Framing::kChunked ||
                                     response.framing == http::Framing::kUntilClose);
  const bool ends_with_close = !is_chunked && response.framing != http::Framing::kNone &&
                               response.framing != http::Framing::kLength;
  outcome_.status = response.status;
  outcome_.keeps_client &= !ends_with_close && !is_pumping_ && !worker_.is_draining;
  for (const auto& filter : route_.filters) filter->on_response(exchange_);
  const ResponseFraming framing{is_chunked, !outcome_.keeps_client};
  write_response_head(response, exchange_, framing, worker_.clock.wall(), work_.out);
  exchange_.head_sent = work_.out.size();
  outcome_.is_answered = true;

  BodyReader reader(connection_->stream, worker_.buffers, body_start_, response.framing,
                    response.content_length);
  reader.keep(std::move(head_buffer_));
  const auto relayed = co_await relay_body(reader, is_chunked);
  client_.deadline.cancel();
  if (relayed == Result::kFailed) {
    current_try().failure = cut_short(reader);
    exchange_.has_failed |= current_try().failure.has_value();
    // The client must see that the answer is cut short, never take it for complete.
    outcome_.keeps_client = false;
    client_.stream.reset_on_close();
    client_.stream.close();
    co_return Result::kFailed;
  }
  if (!response.keeps_alive || is_pumping_ || !reader.rest().empty()) {
    // Bytes beyond the message could be taken for the next user's answer (RFC 9112 11.1).
    connection_->stream.close();
    co_return Result::kFailed;
  }
  co_return Result::kDone;
}

base::EndReason Forward::cut_short(const BodyReader& reader) const {
  using enum base::EndReason;
  using Problem = BodyReader::Problem;
  if (connection_->deadline.has_expired()) return kUpstreamIdleTimeout;
  if (client_.deadline.has_expired()) return kClientIdleTimeout;
  if (reader.problem() == Problem::kMalformed) return kBadResponse;
  if (reader.problem() == Problem::kTruncated) return kUpstreamClosed;
  return reader.problem() == Problem::kConnection
             ? base::broken(base::Side::kUpstream, reader.error())
             : kClientReset;
}

base::Task<Forward::Result> Forward::relay_body(BodyReader& reader, bool is_chunked) {
  auto& out = work_.out;
  auto& client = client_.stream;
  auto& upstream = connection_->stream;
  // The head waits in `out`, so that it leaves together with the first piece that is here already.
  auto piece = reader.next_buffered();
  for (;;) {
    if (is_chunked) {
      append_chunk(out, piece, reader.is_done());
      piece = {};
    } else if (!out.empty() && piece.size() <= kWorthGathering) {
      out.append(piece);
      piece = {};
    }
    if (!out.empty() || !piece.empty()) {
      if (!is_pumping_) client_.deadline.expire_in(kSendTimeout);
      const bool is_last = reader.is_done() && !outcome_.keeps_client && !is_pumping_;
      base::IoResult<void> sent;
      if (is_last && client.is_quiet()) {
        sent = co_await client.write_last(out, piece);
      } else {
        sent = co_await client.write(out, piece);
      }
      out.clear();
      if (!sent) co_return Result::kFailed;
    }
    if (!is_chunked && may_splice(reader, upstream, client)) {
      const TransferSide from{upstream, connection_->deadline,
                              is_pumping_ ? base::Duration(0) : policy_.timeouts.read};
      const TransferSide to{client, client_.deadline,
                            is_pumping_ ? base::Duration(0) : kSendTimeout};
      const bool is_moved = co_await splice_body(worker_, reader, from, to);
      if (!is_moved) co_return Result::kFailed;
    }
    if (reader.is_done()) co_return Result::kDone;
    if (reader.problem() != BodyReader::Problem::kNone) co_return Result::kFailed;
    if (!is_pumping_) connection_->deadline.expire_in(policy_.timeouts.read);
    piece = co_await reader.next();
  }
}

/// After 101: bytes both ways until either side ends (RFC 9110 7.8).
base::Task<void> Forward::tunnel() {
  outcome_.status = 101;
  outcome_.is_answered = true;
  outcome_.keeps_client = false;
  write_response_head(work_.response, exchange_, {}, worker_.clock.wall(), work_.out);
  exchange_.head_sent = work_.out.size();
  connection_->deadline.cancel();
  client_.deadline.cancel();
  const auto answered = co_await client_.stream.write(work_.out, body_start_);
  head_buffer_.give_back();
  if (!answered) co_return;
  const auto waiting = work_.input.take_all();
  const auto passed_on = co_await connection_->stream.write(waiting);
  if (!passed_on) co_return;
  RelayOptions options;
  options.idle = policy_.timeouts.read;
  co_await relay(worker_, client_.stream, connection_->stream, options);
}

}  // namespace penstock::session
