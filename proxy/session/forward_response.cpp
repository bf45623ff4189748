// The second half of an exchange: the upstream's answer on its way to the client.
#include "proxy/http/h1_parser.h"
#include "proxy/session/forward.h"
#include "proxy/session/relay.h"
#include "proxy/session/splice_body.h"

namespace penstock::session {
namespace {

constexpr std::size_t kMaxResponseHead = 32 << 10;
constexpr std::size_t kFirstRead = 8 << 10;
constexpr int kMaxInterimResponses = 16;
/// Up to here copying a piece behind its head is cheaper than handing the kernel two.
constexpr std::size_t kWorthGathering = 8 << 10;
/// The limit on a client that does not read (nginx send_timeout).
constexpr base::Duration kSendTimeout{60'000};
constexpr http::HeadLimits kLimits{.max_line = kMaxResponseHead,
                                   .max_head = kMaxResponseHead,
                                   .max_fields = 256,
                                   .keeps_underscores = true};

}  // namespace

base::Task<Forward::Result> Forward::read_response_head() {
  http::HeadScanner scanner;
  auto& input = work_.upstream_input;
  input.clear();
  for (int interim = 0; interim <= kMaxInterimResponses;) {
    const auto size = scanner.scan(input.unread());
    if (size == 0) {
      if (input.unread().size() >= kMaxResponseHead) break;
      input.reserve(kFirstRead);
      const auto got = co_await connection_->stream.read_some(input.space());
      if (!got || *got == 0) {
        Failure failure;
        failure.is_timeout = connection_->deadline.has_expired();
        failure.status = failure.is_timeout ? 504 : 502;
        failure.is_stale = is_reused_ && input.empty() && !failure.is_timeout;
        co_return fail(failure);
      }
      input.filled(*got);
      continue;
    }
    const auto head = input.unread().substr(0, size);
    input.consume(size);
    auto& response = work_.response;
    if (http::parse_response_head(head, kLimits, exchange_.request->method, response)) break;
    if (response.status == 101 && !exchange_.request->upgrades_to_websocket) break;
    if (response.status >= 200 || response.status == 101) co_return Result::kDone;
    ++interim;
  }
  Failure failure;
  failure.is_invalid = true;
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

  BodyReader reader(connection_->stream, worker_.buffers, work_.upstream_input.take_all(),
                    response.framing, response.content_length);
  const auto relayed = co_await relay_body(reader, is_chunked);
  client_.deadline.cancel();
  if (relayed == Result::kFailed) {
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
      const auto sent = co_await client.write(out, piece);
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
  const auto early = work_.upstream_input.unread();
  const auto answered = co_await client_.stream.write(work_.out, early);
  if (!answered) co_return;
  const auto waiting = work_.input.take_all();
  const auto passed_on = co_await connection_->stream.write(waiting);
  if (!passed_on) co_return;
  co_await relay(worker_, client_.stream, connection_->stream, policy_.timeouts.read);
}

}  // namespace penstock::session
