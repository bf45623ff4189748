#pragma once
// The last failures of one worker by reason, so that a person sees at once what goes wrong and for
// whom. A fixed amount of memory: noting one copies a few short texts and allocates nothing. A
// flood of one reason never pushes out the others.
//
// One thread: that of the worker.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/base/clock.h"
#include "proxy/base/end_reason.h"

namespace penstock::telemetry {

/// Text of a bounded length; what is longer is cut.
template <std::size_t kSize>
class ShortText {
 public:
  ShortText& operator=(std::string_view text) {
    size_ = 0;
    return append(text);
  }
  ShortText& append(std::string_view text) {
    const auto count = std::min(text.size(), kSize - size_);
    std::copy_n(text.data(), count, text_.data() + size_);
    size_ = static_cast<std::uint8_t>(size_ + count);
    return *this;
  }
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  static_assert(kSize <= 255);
  std::array<char, kSize> text_{};
  std::uint8_t size_ = 0;
};

struct RecentError {
  base::WallTime time;
  std::uint16_t status = 0;  // what the client got; 0: nothing
  ShortText<160> what;       // host and path, or the name of a stream
  ShortText<48> client;
  ShortText<56> endpoint;  // the last one that was tried; empty: none
};

class RecentErrors {
 public:
  static constexpr std::size_t kKept = 8;  // of each reason

  /// Where the caller writes the error; valid until the next call.
  RecentError& note(base::EndReason reason, base::WallTime now) {
    auto& ring = rings_[static_cast<std::size_t>(reason)];
    auto& entry = ring.entries[ring.count++ % kKept];
    entry.time = now;
    entry.status = 0;
    entry.what = std::string_view();
    entry.client = std::string_view();
    entry.endpoint = std::string_view();
    return entry;
  }
  std::uint64_t count(base::EndReason reason) const {
    return rings_[static_cast<std::size_t>(reason)].count;
  }
  /// In no particular order.
  template <class Visit>
  void for_each(base::EndReason reason, Visit visit) const {
    const auto& ring = rings_[static_cast<std::size_t>(reason)];
    const auto size = std::min<std::uint64_t>(ring.count, kKept);
    for (std::size_t i = 0; i < size; ++i) visit(ring.entries[i]);
  }

 private:
  struct Ring {
    std::uint64_t count = 0;
    std::array<RecentError, kKept> entries;
  };
  std::array<Ring, base::kEndReasons> rings_;
};

}  // namespace penstock::telemetry
