#include "proxy/snapshot/wire.h"

#include <fmt/format.h>

#include <cstring>

#include "proxy/snapshot/binary.h"
#include "proxy/snapshot/codec.h"

namespace penstock::snapshot {
namespace {

constexpr std::size_t kHeader = sizeof(std::uint32_t) + 1;

std::string payload_of(const Message& message) {
  if (const auto* update = std::get_if<Update>(&message)) return encode(*update);
  std::string out;
  BinaryWriter writer(out);
  std::visit(
      [&](const auto& value) {
        if constexpr (Described<std::remove_cvref_t<decltype(value)>>) writer.write(value);
      },
      message);
  return out;
}

template <class T>
base::Result<std::optional<Message>> decode(std::string_view payload, const char* name) {
  T value;
  BinaryReader reader(payload);
  if (!reader.read(value) || !reader.is_at_end()) {
    return base::fail(fmt::format("malformed {} message", name));
  }
  return Message(std::move(value));
}

/// Of another protocol version only the number can be read; `mismatch` tells the rest.
base::Result<std::optional<Message>> decode_hello(std::string_view payload) {
  Hello hello;
  BinaryReader reader(payload);
  if (reader.read(hello.protocol) && hello.protocol != kProtocolVersion) {
    hello.program = "the other side";
    return Message(std::move(hello));
  }
  return decode<Hello>(payload, "hello");
}

base::Result<std::optional<Message>> decode_message(std::uint8_t type, std::string_view payload) {
  switch (type) {
    case 0:
      return decode_hello(payload);
    case 1: {
      auto update = decode_update(payload);
      if (!update) return std::unexpected(update.error());
      return Message(std::move(*update));
    }
    case 2:
      return decode<Adopted>(payload, "adopted");
    case 3:
      return decode<Refused>(payload, "refused");
    case 4:
      return decode<HealthReport>(payload, "health");
    default:
      return base::fail(fmt::format("unknown message type {}", type));
  }
}

}  // namespace

std::string encode_frame(const Message& message) {
  const auto payload = payload_of(message);
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::string frame(reinterpret_cast<const char*>(&size), sizeof size);
  frame.push_back(static_cast<char>(message.index()));
  return frame + payload;
}

std::optional<std::string> mismatch(const Hello& theirs) {
  if (theirs.protocol != kProtocolVersion) {
    return fmt::format("{} speaks protocol version {}, this side speaks {}", theirs.program,
                       theirs.protocol, kProtocolVersion);
  }
  if (theirs.fingerprint != schema_fingerprint()) {
    return fmt::format(
        "{} has another shape of snapshot ({:016x}, here {:016x}): controller and proxy must come "
        "from the same release",
        theirs.program, theirs.fingerprint, schema_fingerprint());
  }
  return std::nullopt;
}

base::Result<std::optional<Message>> FrameReader::next() {
  const auto unread = std::string_view(buffer_).substr(begin_);
  if (unread.size() < kHeader) return std::optional<Message>();
  std::uint32_t size = 0;
  std::memcpy(&size, unread.data(), sizeof size);
  if (size > kMaxFrame) {
    return base::fail(fmt::format("a frame of {} bytes is larger than {}", size, kMaxFrame));
  }
  if (unread.size() - kHeader < size) return std::optional<Message>();
  auto message = decode_message(static_cast<std::uint8_t>(unread[4]), unread.substr(kHeader, size));
  begin_ += kHeader + size;
  if (begin_ == buffer_.size() || begin_ > (1U << 20)) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  return message;
}

}  // namespace penstock::snapshot
