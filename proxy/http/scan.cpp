#include "proxy/http/scan.h"

#ifdef __SSE2__
#include <emmintrin.h>

#include <bit>
#endif

namespace penstock::http {

const char* find_not_field_byte(const char* at, const char* end) {
#ifdef __SSE2__
  const auto last_control = _mm_set1_epi8(0x1f);
  const auto tab = _mm_set1_epi8('\t');
  const auto rubout = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const auto bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control),
                                  _mm_cmpeq_epi8(bytes, rubout));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bad)); mask != 0) {
      return at + std::countr_zero(mask);
    }
  }
#endif
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x20 ? byte != '\t' : byte == 0x7f) break;
  }
  return at;
}

namespace {

/// Is the line that ends at this LF empty?
bool ends_empty_line(const char* begin, const char* lf) {
  if (lf == begin) return false;
  if (lf[-1] == '\n') return true;
  return lf[-1] == '\r' && lf - begin >= 2 && lf[-2] == '\n';
}

}  // namespace

const char* find_empty_line(const char* begin, const char* at, const char* end) {
#ifdef __SSE2__
  const auto lf = _mm_set1_epi8('\n');
  for (; end - at >= 16; at += 16) {
    const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    auto mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, lf)));
    for (; mask != 0; mask &= mask - 1) {
      const auto* const found = at + std::countr_zero(mask);
      if (ends_empty_line(begin, found)) return found + 1;
    }
  }
#endif
  for (; at != end; ++at) {
    if (*at == '\n' && ends_empty_line(begin, at)) return at + 1;
  }
  return nullptr;
}

}  // namespace penstock::http
