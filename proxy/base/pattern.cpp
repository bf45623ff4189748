#include "proxy/base/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace penstock::base {
namespace {

constexpr std::int64_t kMostMemory = 1 << 20;

}  // namespace

Result<Pattern> Pattern::compile(std::string_view text) {
  if (text.size() > kLongest) {
    return fail(fmt::format("expected a regular expression of at most {} bytes, got {}", kLongest,
                            text.size()));
  }
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kMostMemory);
  auto compiled = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!compiled->ok()) {
    return fail(
        fmt::format("expected a regular expression (RE2), got '{}': {}", text, compiled->error()));
  }
  return Pattern(std::move(compiled));
}

Pattern::Pattern(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Pattern::Pattern(Pattern&& other) noexcept = default;
Pattern& Pattern::operator=(Pattern&& other) noexcept = default;
Pattern::~Pattern() = default;

bool Pattern::matches(std::string_view bytes) const {
  return re2::RE2::PartialMatch(re2::StringPiece(bytes.data(), bytes.size()), *compiled_);
}

}  // namespace penstock::base
