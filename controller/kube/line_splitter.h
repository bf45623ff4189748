#pragma once
// Cuts a watch's body into lines, whatever pieces it arrives in. Pure.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::kube {

class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line) : max_line_(max_line) {}

  void push(std::string_view piece);
  /// The next whole line without its '\n' (and '\r'), valid until the next call of any function.
  std::optional<std::string_view> take();
  /// An unfinished line is longer than allowed: nothing more can come of this body.
  bool is_too_long() const { return buffer_.size() - begin_ > max_line_ && !has_line_; }

 private:
  std::size_t max_line_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the first line not taken
  std::size_t scanned_ = 0;  // no '\n' in [begin_, scanned_)
  bool has_line_ = false;    // there may be a whole line: take() has not said no
};

}  // namespace penstock::kube
