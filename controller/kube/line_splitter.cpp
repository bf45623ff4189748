#include "controller/kube/line_splitter.h"

namespace penstock::kube {

void LineSplitter::push(std::string_view piece) {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    scanned_ -= begin_;
    begin_ = 0;
  }
  buffer_.append(piece);
  has_line_ = true;
}

std::optional<std::string_view> LineSplitter::take() {
  const auto end = buffer_.find('\n', scanned_);
  if (end == buffer_.npos) {
    scanned_ = buffer_.size();
    has_line_ = false;
    return std::nullopt;
  }
  std::string_view line(buffer_.data() + begin_, end - begin_);
  begin_ = scanned_ = end + 1;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace penstock::kube
