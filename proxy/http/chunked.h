#pragma once
// The chunked transfer coding (RFC 9112 section 7.1), strictly: CRLF only, sizes in plain hex with
// checked arithmetic, extensions bounded and dropped, trailers bounded and dropped.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::http {

/// Feeds on bytes in any pieces and hands out the data between the framing, without copying.
class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { kMore, kDone, kFailed };

  struct Step {
    std::size_t consumed = 0;  // of the bytes given
    std::string_view data;     // a part of them that belongs to the body; may be empty
  };

  /// Call again with what is left while it consumes anything. After kDone it consumes nothing.
  Step feed(std::string_view bytes);
  State state() const;
  void reset() { *this = ChunkedDecoder(); }

 private:
  enum class Phase : std::uint8_t {
    kSizeStart,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailer,
    kTrailerLf,
    kEndLf,
    kDone,
    kFailed,
  };
  void take(char c);

  Phase phase_ = Phase::kSizeStart;
  std::uint64_t left_ = 0;
  std::uint32_t digits_ = 0;
  std::uint32_t extension_bytes_ = 0;  // of the whole message, so that many small ones add up
  std::uint32_t trailer_bytes_ = 0;
  bool trailer_has_colon_ = false;
};

}  // namespace penstock::http
