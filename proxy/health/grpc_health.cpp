#include "proxy/health/grpc_health.h"

namespace penstock::health {
namespace {

constexpr std::size_t kPrefix = 5;  // a flag for compression, and the length

/// Protobuf's wire format (protobuf.dev: Encoding), as much of it as a message of scalars needs.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  bool is_at_end() const { return rest_.empty(); }
  std::optional<std::uint64_t> varint() {
    constexpr unsigned kMostBits = 64;
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < kMostBits && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }
  bool skip(std::uint64_t wire_type) {
    constexpr std::uint64_t kVarint = 0;
    constexpr std::uint64_t kFixed64 = 1;
    constexpr std::uint64_t kLengthDelimited = 2;
    constexpr std::uint64_t kFixed32 = 5;
    std::uint64_t size = 0;
    if (wire_type == kVarint) return varint().has_value();
    if (wire_type == kFixed64) {
      size = 8;
    } else if (wire_type == kFixed32) {
      size = 4;
    } else if (wire_type == kLengthDelimited) {
      const auto length = varint();
      if (!length) return false;
      size = *length;
    } else {
      return false;
    }
    if (size > rest_.size()) return false;
    rest_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view rest_;
};

void append_varint(std::uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

}  // namespace

std::string encode_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    message.push_back('\x0a');  // field 1, length delimited
    append_varint(service.size(), message);
    message.append(service);
  }
  std::string out(1, '\0');
  for (const int shift : {24, 16, 8, 0}) {
    out.push_back(static_cast<char>(message.size() >> shift & 0xff));
  }
  return out + message;
}

std::optional<std::uint64_t> read_health_response(std::string_view bytes) {
  if (bytes.size() < kPrefix || bytes.front() != '\0') return std::nullopt;
  std::uint64_t size = 0;
  for (std::size_t i = 1; i < kPrefix; ++i) {
    size = size << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (bytes.size() - kPrefix != size) return std::nullopt;
  Fields fields(bytes.substr(kPrefix));
  std::uint64_t status = 0;  // as absent: UNKNOWN
  while (!fields.is_at_end()) {
    constexpr std::uint64_t kStatus = 1 << 3;  // field 1, varint
    const auto tag = fields.varint();
    if (!tag) return std::nullopt;
    if (*tag == kStatus) {
      const auto value = fields.varint();
      if (!value) return std::nullopt;
      status = *value;
    } else if (!fields.skip(*tag & 7)) {
      return std::nullopt;
    }
  }
  return status;
}

}  // namespace penstock::health
