#pragma once
// Regular expressions of users over bytes of the network, in time linear to the bytes (RE2) and in
// bounded memory.
#include <memory>
#include <string_view>

#include "proxy/base/result.h"

namespace re2 {
class RE2;
}

namespace penstock::base {

class Pattern {
 public:
  static constexpr std::size_t kLongest = 1024;

  /// Bytes, not characters: \xHH stands for one byte.
  static Result<Pattern> compile(std::string_view text);
  Pattern(Pattern&& other) noexcept;
  Pattern& operator=(Pattern&& other) noexcept;
  ~Pattern();

  /// Anywhere in `bytes`.
  bool matches(std::string_view bytes) const;

 private:
  explicit Pattern(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace penstock::base
