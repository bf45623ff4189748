#pragma once
// A message body as a sequence of pieces, whatever its framing. The same for requests and
// responses.
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/task.h"
#include "proxy/http/chunked.h"
#include "proxy/http/message.h"
#include "proxy/net/stream.h"
#include "proxy/session/input.h"

namespace penstock::session {

class BodyReader {
 public:
  enum class Problem : std::uint8_t { kNone, kConnection, kTruncated, kMalformed };

  /// `input` may hold the first bytes of the body and gets back what follows it.
  BodyReader(net::Stream& stream, Input& input, http::Framing framing, std::uint64_t length);

  /// The next piece, valid until the next call; empty at the end or on a problem.
  base::Task<std::string_view> next();
  /// A piece that needs no waiting; empty when there is none.
  std::string_view next_buffered();

  bool is_done() const { return is_done_; }
  Problem problem() const { return problem_; }
  base::error_code error() const { return error_; }
  std::uint64_t received() const { return received_; }

 private:
  std::string_view take(std::size_t size);
  base::Task<void> fill();

  net::Stream& stream_;
  Input& input_;
  http::Framing framing_;
  std::uint64_t left_;
  http::ChunkedDecoder decoder_;
  bool is_done_ = false;
  Problem problem_ = Problem::kNone;
  base::error_code error_;
  std::uint64_t received_ = 0;
};

}  // namespace penstock::session
