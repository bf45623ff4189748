// The second half of an exchange: the upstream's answer on its way to the client.
#include <fmt/format.h>

#include "proxy/http/h1_parser.h"
#include "proxy/session/forward.h"
#include "proxy/session/relay.h"

namespace penstock::session {
namespace {

constexpr std::size_t kMaxResponseHead = 32 << 10;
constexpr int kMaxInterimResponses = 16;

}  // namespace

base::Task<Forward::Result> Forward::read_response_head() {
  http::HeadScanner scanner;
  http::HeadLimits limits{.max_line = kMaxResponseHead,
                          .max_head = kMaxResponseHead,
                          .max_fields = 256,
                          .keeps_underscores = true};
  auto& input = connection_->input;
  for (int interim = 0; interim <= kMaxInterimResponses;) {
    const auto size = scanner.scan(input.unread());
    if (size == 0) {
      if (input.unread().size() >= kMaxResponseHead) break;
      input.reserve(4096);
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
    head_bytes_.assign(input.unread().substr(0, size));
    input.consume(size);
    if (http::parse_response_head(head_bytes_, limits, exchange_.request->method, response_)) {
      break;
    }
    if (response_.status == 101 && !exchange_.request->upgrades_to_websocket) break;
    if (response_.status >= 200 || response_.status == 101) co_return Result::kDone;
    ++interim;
  }
  Failure failure;
  failure.is_invalid = true;
  co_return fail(failure);
}

base::Task<Forward::Result> Forward::relay_response() {
  const auto& request = *exchange_.request;
  const bool is_chunked =
      request.minor_version >= 1 && (response_.framing == http::Framing::kChunked ||
                                     response_.framing == http::Framing::kUntilClose);
  const bool ends_with_close = !is_chunked && response_.framing != http::Framing::kNone &&
                               response_.framing != http::Framing::kLength;
  outcome_.status = response_.status;
  outcome_.keeps_client &= !ends_with_close && !is_pumping_ && !worker_.is_draining;
  for (const auto& filter : route_.filters) filter->on_response(exchange_);
  out_.clear();
  const ResponseFraming framing{is_chunked, !outcome_.keeps_client};
  append_response_head(response_, exchange_, framing, worker_.clock.wall(), out_);
  exchange_.head_sent = out_.size();
  outcome_.is_answered = true;

  BodyReader reader(connection_->stream, connection_->input, response_.framing,
                    response_.framing == http::Framing::kLength ? response_.content_length : 0);
  const auto relayed = co_await relay_body(reader, is_chunked);
  client_.deadline.cancel();
  if (relayed == Result::kFailed) {
    // The client must see that the answer is cut short, never take it for complete.
    outcome_.keeps_client = false;
    client_.stream.reset_on_close();
    client_.stream.close();
    co_return Result::kFailed;
  }
  if (!response_.keeps_alive || is_pumping_ || !connection_->input.empty()) {
    // Bytes beyond the message could be taken for the next user's answer (RFC 9112 11.1).
    connection_->stream.close();
    co_return Result::kFailed;
  }
  co_return Result::kDone;
}

base::Task<Forward::Result> Forward::relay_body(BodyReader& reader, bool is_chunked) {
  // The head waits in `out_`, so that it leaves together with the first piece that is here already.
  auto piece = reader.next_buffered();
  for (;;) {
    if (is_chunked) {
      if (!piece.empty()) {
        fmt::format_to(std::back_inserter(out_), "{:x}\r\n{}\r\n", piece.size(), piece);
      }
      if (reader.is_done()) out_ += "0\r\n\r\n";
      piece = {};
    }
    if (!out_.empty() || !piece.empty()) {
      // The limit on a client that does not read (nginx send_timeout, 60 s).
      if (!is_pumping_) client_.deadline.expire_in(base::Duration(60'000));
      const auto sent = co_await client_.stream.write(out_, piece);
      out_.clear();
      if (!sent) co_return Result::kFailed;
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
  out_.clear();
  append_response_head(response_, exchange_, {}, worker_.clock.wall(), out_);
  connection_->deadline.cancel();
  client_.deadline.cancel();
  const auto early = connection_->input.unread();
  if (!co_await client_.stream.write(out_, early)) co_return;
  const auto waiting = client_.input.unread();
  if (!co_await connection_->stream.write(waiting)) co_return;
  client_.input.consume(waiting.size());
  co_await relay(client_.stream, connection_->stream, worker_.wheel, policy_.timeouts.read);
}

}  // namespace penstock::session
