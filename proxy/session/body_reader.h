#pragma once
// A message body as a sequence of pieces, whatever its framing. The same for requests and
// responses. Holds a buffer only while bytes are in it.
#include <cstdint>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/base/task.h"
#include "proxy/http/chunked.h"
#include "proxy/http/message.h"
#include "proxy/net/stream.h"
#include "proxy/session/buffer_pool.h"

namespace penstock::session {

class BodyReader {
 public:
  enum class Problem : std::uint8_t { kNone, kConnection, kTruncated, kMalformed };

  /// `here` are bytes that came behind the head; they must stay in place until they are read.
  BodyReader(net::Stream& stream, BufferPool& buffers, std::string_view here, http::Framing framing,
             std::uint64_t length);

  /// Hands over the buffer that `here` lies in, to be given back as soon as it is read.
  void keep(BufferPool::Loan buffer) { buffer_ = std::move(buffer); }
  /// Gives the buffer back; the last piece has been used.
  void give_back() { buffer_.give_back(); }

  /// The next piece, valid until the next call; empty at the end or on a problem.
  base::Task<std::string_view> next();
  /// A piece that needs no waiting; empty when there is none.
  std::string_view next_buffered();
  /// Bytes that have come and follow the body: the beginning of a next message.
  std::string_view rest() const { return unread_; }
  /// What is left of a body of known length and has not been read from the connection: may be moved
  /// past this reader, which then must be told.
  std::uint64_t unread_length() const {
    return framing_ == http::Framing::kLength && unread_.empty() ? left_ : 0;
  }
  void moved(std::uint64_t size) {
    left_ -= size;
    received_ += size;
    is_done_ = left_ == 0;
  }
  void fail(Problem problem, base::error_code code) {
    problem_ = problem;
    error_ = code;
  }

  bool is_done() const { return is_done_; }
  Problem problem() const { return problem_; }
  base::error_code error() const { return error_; }
  std::uint64_t received() const { return received_; }

 private:
  std::string_view take(std::size_t size);
  void filled(const base::IoResult<std::size_t>& got);

  net::Stream& stream_;
  BufferPool& buffers_;
  BufferPool::Loan buffer_;
  std::string_view unread_;
  std::uint64_t left_;
  std::uint64_t received_ = 0;
  base::error_code error_;
  http::ChunkedDecoder decoder_;
  http::Framing framing_;
  bool is_done_ = false;
  Problem problem_ = Problem::kNone;
};

}  // namespace penstock::session
