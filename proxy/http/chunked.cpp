#include "proxy/http/chunked.h"

#include <algorithm>

#include "proxy/base/text.h"

namespace penstock::http {
namespace {

constexpr std::uint32_t kMaxSizeDigits = 15;
constexpr std::uint32_t kMaxExtensionBytes = 4096;
constexpr std::uint32_t kMaxTrailerBytes = 8192;

bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 ? byte != 0x7f : byte == '\t';
}

}  // namespace

ChunkedDecoder::State ChunkedDecoder::state() const {
  if (phase_ == Phase::kDone) return State::kDone;
  return phase_ == Phase::kFailed ? State::kFailed : State::kMore;
}

ChunkedDecoder::Step ChunkedDecoder::feed(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size() && phase_ != Phase::kDone && phase_ != Phase::kFailed) {
    if (phase_ == Phase::kData) {
      const auto size = std::min<std::uint64_t>(left_, bytes.size() - step.consumed);
      step.data = bytes.substr(step.consumed, static_cast<std::size_t>(size));
      step.consumed += static_cast<std::size_t>(size);
      left_ -= size;
      if (left_ == 0) phase_ = Phase::kDataCr;
      return step;
    }
    take(bytes[step.consumed++]);
  }
  return step;
}

void ChunkedDecoder::take(char c) {
  const auto expect = [&](char wanted, Phase next) {
    phase_ = c == wanted ? next : Phase::kFailed;
  };
  switch (phase_) {
    case Phase::kSizeStart:
    case Phase::kSize:
      if (const auto digit = base::hex_value(c); digit >= 0) {
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        phase_ = ++digits_ <= kMaxSizeDigits ? Phase::kSize : Phase::kFailed;
      } else if (phase_ == Phase::kSizeStart) {
        phase_ = Phase::kFailed;
      } else if (c == ';') {
        phase_ = Phase::kExtension;
      } else {
        expect('\r', Phase::kSizeLf);
      }
      return;
    case Phase::kExtension:
      if (c == '\r') {
        phase_ = Phase::kSizeLf;
      } else if (!is_text(c) || ++extension_bytes_ > kMaxExtensionBytes) {
        phase_ = Phase::kFailed;
      }
      return;
    case Phase::kSizeLf:
      expect('\n', left_ == 0 ? Phase::kTrailerStart : Phase::kData);
      return;
    case Phase::kDataCr:
      expect('\r', Phase::kDataLf);
      return;
    case Phase::kDataLf:
      expect('\n', Phase::kSizeStart);
      digits_ = 0;
      return;
    case Phase::kTrailerStart:
      if (c == '\r') {
        phase_ = Phase::kEndLf;
        return;
      }
      // A field cannot start with white space: no folding, no empty name.
      phase_ = is_text(c) && c != ' ' && c != '\t' && c != ':' ? Phase::kTrailer : Phase::kFailed;
      trailer_has_colon_ = false;
      ++trailer_bytes_;
      return;
    case Phase::kTrailer:
      if (c == '\r') {
        phase_ = trailer_has_colon_ ? Phase::kTrailerLf : Phase::kFailed;
        return;
      }
      trailer_has_colon_ |= c == ':';
      if (!is_text(c) || ++trailer_bytes_ > kMaxTrailerBytes) phase_ = Phase::kFailed;
      return;
    case Phase::kTrailerLf:
      expect('\n', Phase::kTrailerStart);
      return;
    case Phase::kEndLf:
      expect('\n', Phase::kDone);
      return;
    case Phase::kData:
    case Phase::kDone:
    case Phase::kFailed:
      return;
  }
}

}  // namespace penstock::http
