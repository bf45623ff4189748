#pragma once
// JSON of what came from the network: whatever the bytes are, the text is valid JSON in valid UTF-8
// (RFC 8259, 7 and 8.1), and no longer than it may be.
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::telemetry {

/// A JSON string with its quotes, of at most `most` bytes of `text`. Bytes that are no UTF-8 become
/// U+FFFD each.
void append_json_text(std::string& out, std::string_view text, std::size_t most);

/// The `attributes` of OTLP, one after the other.
class AttributeWriter {
 public:
  /// Longer values are cut.
  static constexpr std::size_t kMostText = 1024;

  explicit AttributeWriter(std::string& out) : out_(out) {}

  /// An empty text is left out. `key` is one of ours.
  AttributeWriter& text(std::string_view key, std::string_view value);
  AttributeWriter& number(std::string_view key, std::uint64_t value);

 private:
  void begin(std::string_view key);

  std::string& out_;
  bool is_first_ = true;
};

}  // namespace penstock::telemetry
