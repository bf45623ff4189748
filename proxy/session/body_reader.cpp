#include "proxy/session/body_reader.h"

#include <algorithm>

namespace penstock::session {
namespace {

constexpr std::size_t kPiece = 16 << 10;

}  // namespace

BodyReader::BodyReader(net::Stream& stream, Input& input, http::Framing framing,
                       std::uint64_t length)
    : stream_(stream),
      input_(input),
      framing_(framing),
      left_(length),
      is_done_(framing == http::Framing::kNone) {}

std::string_view BodyReader::take(std::size_t size) {
  const auto piece = input_.unread().substr(0, size);
  input_.consume(piece.size());
  received_ += piece.size();
  return piece;
}

std::string_view BodyReader::next_buffered() {
  if (is_done_ || problem_ != Problem::kNone) return {};
  switch (framing_) {
    case http::Framing::kNone:
      return {};
    case http::Framing::kUntilClose:
      return take(input_.unread().size());
    case http::Framing::kLength: {
      const auto piece = take(std::min<std::uint64_t>(left_, input_.unread().size()));
      left_ -= piece.size();
      is_done_ = left_ == 0;
      return piece;
    }
    case http::Framing::kChunked:
      break;
  }
  while (!input_.empty()) {
    const auto step = decoder_.feed(input_.unread());
    input_.consume(step.consumed);
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

base::Task<void> BodyReader::fill() {
  input_.reserve(kPiece);
  const auto got = co_await stream_.read_some(input_.space());
  if (!got) {
    error_ = got.error();
    problem_ = Problem::kConnection;
  } else if (*got == 0) {
    if (framing_ == http::Framing::kUntilClose) {
      is_done_ = true;
    } else {
      problem_ = Problem::kTruncated;
    }
  } else {
    input_.filled(*got);
  }
}

base::Task<std::string_view> BodyReader::next() {
  for (;;) {
    const auto piece = next_buffered();
    if (!piece.empty() || is_done_ || problem_ != Problem::kNone) co_return piece;
    co_await fill();
  }
}

}  // namespace penstock::session
