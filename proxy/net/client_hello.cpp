#include "proxy/net/client_hello.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/base/text.h"

namespace penstock::net {
namespace {

using State = ClientHelloScanner::State;

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kMaxRecord = 16 << 10;
constexpr std::size_t kMaxName = 255;
constexpr unsigned kHandshake = 22;   // RFC 8446 5.1, content type
constexpr unsigned kClientHello = 1;  // RFC 8446 4, handshake type
constexpr std::size_t kRandom = 32;
constexpr unsigned kServerName = 0;  // extensions
constexpr unsigned kProtocols = 16;
constexpr unsigned kHostName = 0;  // the only type of server name

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

/// Takes fields off the front; what is asked for beyond the end gives nothing.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::optional<std::size_t> number(std::size_t width) {
    if (bytes_.size() < width) return std::nullopt;
    std::size_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | byte_at(bytes_, i);
    bytes_.remove_prefix(width);
    return value;
  }
  std::optional<std::string_view> take(std::size_t size) {
    if (bytes_.size() < size) return std::nullopt;
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  /// A vector with its length before it (RFC 8446 3.4).
  std::optional<std::string_view> vector(std::size_t width) {
    const auto size = number(width);
    return size ? take(*size) : std::nullopt;
  }

 private:
  std::string_view bytes_;
};

/// Letters, digits, '-', '_' and dots between them: what certificates and hosts are made of.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName || name.front() == '.') return false;
  if (name.contains("..")) return false;
  return std::ranges::all_of(name, [](char c) {
    return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
  });
}

bool read_server_name(std::string_view extension, ClientHello& hello) {
  Fields fields(extension);
  const auto list = fields.vector(2);
  if (!list || !fields.empty()) return false;
  Fields names(*list);
  const auto type = names.number(1);
  const auto name = names.vector(2);
  // RFC 6066: not more than one name of a type, and there is but one type.
  if (!type || *type != kHostName || !name || !names.empty()) return false;
  auto text = base::to_lower(*name);
  if (text.ends_with('.')) text.pop_back();
  if (!is_host_name(text)) return false;
  hello.server_name = std::move(text);
  return true;
}

bool read_protocols(std::string_view extension, ClientHello& hello) {
  Fields fields(extension);
  const auto list = fields.vector(2);
  if (!list || list->empty() || !fields.empty()) return false;
  Fields names(*list);
  while (!names.empty()) {
    const auto name = names.vector(1);
    if (!name || name->empty()) return false;
  }
  hello.protocols = *list;
  return true;
}

bool read_extensions(std::string_view bytes, ClientHello& hello) {
  bool has_name = false;
  bool has_protocols = false;
  Fields fields(bytes);
  while (!fields.empty()) {
    const auto type = fields.number(2);
    const auto data = fields.vector(2);
    if (!type || !data) return false;
    // Each extension at most once (RFC 8446 4.2): of two names it would be a guess which is meant.
    if (*type == kServerName &&
        (std::exchange(has_name, true) || !read_server_name(*data, hello))) {
      return false;
    }
    if (*type == kProtocols &&
        (std::exchange(has_protocols, true) || !read_protocols(*data, hello))) {
      return false;
    }
  }
  return true;
}

bool read_hello(std::string_view body, ClientHello& hello) {
  Fields fields(body);
  const auto version = fields.number(2);
  if (!version || !fields.take(kRandom)) return false;
  const auto session = fields.vector(1);
  const auto ciphers = session ? fields.vector(2) : std::nullopt;
  const auto compressions = ciphers ? fields.vector(1) : std::nullopt;
  if (!compressions || ciphers->empty() || compressions->empty()) return false;
  if (fields.empty()) return true;  // TLS 1.2 and before: extensions may be missing
  const auto extensions = fields.vector(2);
  return extensions && fields.empty() && read_extensions(*extensions, hello);
}

}  // namespace

bool ClientHello::offers(std::string_view protocol) const {
  for (Fields names(protocols); !names.empty();) {
    if (names.vector(1) == protocol) return true;
  }
  return false;
}

State ClientHelloScanner::scan(std::string_view bytes) {
  if (state_ != State::kIncomplete) return state_;
  state_ = take_records(bytes.substr(0, kMaxClientHello));
  const bool is_full = bytes.size() >= kMaxClientHello;
  if (state_ == State::kIncomplete && is_full) state_ = State::kTooLong;
  return state_;
}

State ClientHelloScanner::take_records(std::string_view bytes) {
  if (!bytes.empty() && byte_at(bytes, 0) != kHandshake) return State::kNotTls;
  if (bytes.size() > 1 && byte_at(bytes, 1) != 3) return State::kNotTls;  // SSL 3.0 to TLS 1.3
  while (bytes.size() - taken_ >= kRecordHeader) {
    const auto record = bytes.substr(taken_);
    const auto size = byte_at(record, 3) << 8 | byte_at(record, 4);
    // Nothing may come between the records of one message, and none of them may be empty.
    if (byte_at(record, 0) != kHandshake || byte_at(record, 1) != 3 || size == 0 ||
        size > kMaxRecord) {
      return State::kMalformed;
    }
    if (taken_ + kRecordHeader + size > kMaxClientHello) return State::kTooLong;
    if (record.size() < kRecordHeader + size) return State::kIncomplete;
    message_ += record.substr(kRecordHeader, size);
    taken_ += kRecordHeader + size;
    if (byte_at(message_, 0) != kClientHello) return State::kMalformed;
    if (has_message()) return take_message();
  }
  return State::kIncomplete;
}

bool ClientHelloScanner::has_message() const {
  if (message_.size() < kMessageHeader) return false;
  return message_.size() - kMessageHeader >=
         *Fields(std::string_view(message_).substr(1)).number(3);
}

State ClientHelloScanner::take_message() {
  Fields fields(message_);
  fields.number(1);
  const auto body = fields.vector(3);
  // A client waits for the answer before it says more in this record.
  const bool is_good = body && fields.empty() && read_hello(*body, hello_);
  message_ = {};
  return is_good ? State::kDone : State::kMalformed;
}

}  // namespace penstock::net
