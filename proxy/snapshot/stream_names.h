#pragma once
// A TCP port that several streams share: who has it is said by the server name in the client's
// hello.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

/// Where the connections of a stream come from.
enum class StreamEntrance : std::uint8_t {
  kPort,   // the port, which it opens
  kHttps,  // the HTTPS listeners: those of its names, before TLS begins
  kNames,  // the stream of the port, which has it among its delegates
};
template <>
struct EnumNames<StreamEntrance> {
  static constexpr std::array<std::string_view, 3> names = {"port", "https", "names"};
};

/// Whoever asks for this name belongs to another stream.
struct StreamDelegate {
  std::string server_name;  // "db.example.com", "*.example.com"; empty = every other, or none
  std::string stream;       // name of its part

  template <class Archive>
  void describe(Archive& archive) {
    archive("server_name", server_name)("stream", stream);
  }
  bool operator==(const StreamDelegate&) const = default;
};

}  // namespace penstock::snapshot
