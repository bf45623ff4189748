#pragma once
// Bytes that have arrived on a connection and are not used up yet. The head of a message stays in
// place while its exchange runs, so views into it hold.
#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/base/task.h"
#include "proxy/net/stream.h"

namespace penstock::session {

class Input {
 public:
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t size) { begin_ += size; }
  bool empty() const { return begin_ == end_; }

  /// Makes room for `size` more bytes behind what is unread. Views into the buffer end here.
  void reserve(std::size_t size) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - end_ >= size) return;
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
    if (buffer_.size() - end_ < size) buffer_.resize(end_ + size);
  }
  std::span<char> space() { return {buffer_.data() + end_, buffer_.size() - end_}; }
  void filled(std::size_t size) { end_ += size; }

  /// Puts bytes that came after a message back as the beginning of the next one.
  void put(std::string_view bytes) {
    reserve(bytes.size());
    std::ranges::copy(bytes, space().begin());
    filled(bytes.size());
  }

  void clear() { begin_ = end_ = 0; }
  /// Everything unread, for a reader of its own; the bytes stay where they are until the next
  /// `reserve` or `put`.
  std::string_view take_all() {
    const auto all = unread();
    begin_ = end_;
    return all;
  }
  std::size_t capacity() const { return buffer_.size(); }

 private:
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace penstock::session
