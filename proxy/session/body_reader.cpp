#include "proxy/session/body_reader.h"

#include <algorithm>

namespace penstock::session {

BodyReader::BodyReader(net::Stream& stream, BufferPool& buffers, std::string_view here,
                       http::Framing framing, std::uint64_t length)
    : stream_(stream),
      buffers_(buffers),
      unread_(here),
      left_(length),
      framing_(framing),
      is_done_(framing == http::Framing::kNone) {}

std::string_view BodyReader::take(std::size_t size) {
  const auto piece = unread_.substr(0, size);
  unread_.remove_prefix(piece.size());
  received_ += piece.size();
  return piece;
}

std::string_view BodyReader::next_buffered() {
  if (is_done_ || problem_ != Problem::kNone) return {};
  switch (framing_) {
    case http::Framing::kNone:
      return {};
    case http::Framing::kUntilClose:
      return take(unread_.size());
    case http::Framing::kLength: {
      const auto piece = take(std::min<std::uint64_t>(left_, unread_.size()));
      left_ -= piece.size();
      is_done_ = left_ == 0;
      return piece;
    }
    case http::Framing::kChunked:
      break;
  }
  while (!unread_.empty()) {
    const auto step = decoder_.feed(unread_);
    unread_.remove_prefix(step.consumed);
    if (decoder_.state() == http::ChunkedDecoder::State::kDone) is_done_ = true;
    if (decoder_.state() == http::ChunkedDecoder::State::kFailed) problem_ = Problem::kMalformed;
    if (!step.data.empty()) {
      received_ += step.data.size();
      return step.data;
    }
    if (is_done_ || problem_ != Problem::kNone) return {};
  }
  return {};
}

void BodyReader::filled(const base::IoResult<std::size_t>& got) {
  if (!got) {
    fail(Problem::kConnection, got.error());
  } else if (*got > 0) {
    unread_ = {buffer_.span().data(), *got};
  } else if (framing_ == http::Framing::kUntilClose) {
    is_done_ = true;
  } else {
    problem_ = Problem::kTruncated;
  }
}

base::Task<std::string_view> BodyReader::next() {
  for (;;) {
    const auto piece = next_buffered();
    if (!piece.empty() || is_done_ || problem_ != Problem::kNone) co_return piece;
    buffer_.give_back();
    const auto ready = co_await stream_.readable();
    if (!ready) {
      filled(ready);
      continue;
    }
    buffer_ = buffers_.lend();
    const auto got = co_await stream_.read_some(buffer_.span());
    filled(got);
  }
}

}  // namespace penstock::session
