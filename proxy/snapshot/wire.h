#pragma once
// What controller and proxy say to each other over their Unix socket: frames of a 32-bit length, a
// type byte and a payload. Both sides send Hello first; a version or shape that differs ends the
// conversation with an error that says so. Snapshots go down, the answers and
// what health checks find come up.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::snapshot {

inline constexpr std::uint32_t kProtocolVersion = 3;
inline constexpr std::size_t kMaxFrame = 256U << 20;

/// Who is speaking, and with which shape of snapshot. A proxy adds the version that it serves. The
/// protocol stays the first field in every version, so that the other end can always read it.
struct Hello {
  std::uint32_t protocol = kProtocolVersion;
  std::uint64_t fingerprint = 0;
  std::string program;
  std::uint64_t serving = 0;  // 0 = nothing
  bool is_reader = false;     // wants the snapshot once and serves nothing: `penstock explain`

  template <class Archive>
  void describe(Archive& archive) {
    archive("protocol", protocol)("fingerprint", fingerprint)("program", program)(
        "serving", serving)("is_reader", is_reader);
  }
  bool operator==(const Hello&) const = default;
};

/// Every worker serves this version.
struct Adopted {
  std::uint64_t version = 0;
  std::vector<std::string> problems;  // ports that could not be opened, each as one sentence

  template <class Archive>
  void describe(Archive& archive) {
    archive("version", version)("problems", problems);
  }
  bool operator==(const Adopted&) const = default;
};

/// Nothing of this version is served; what was served before still is.
struct Refused {
  std::uint64_t version = 0;
  std::vector<std::string> reasons;

  template <class Archive>
  void describe(Archive& archive) {
    archive("version", version)("reasons", reasons);
  }
  bool operator==(const Refused&) const = default;
};

/// An endpoint that fails its active checks.
struct EndpointDown {
  std::string upstream;
  std::string address;
  std::uint16_t port = 0;
  std::string finding;  // why, in a few words

  template <class Archive>
  void describe(Archive& archive) {
    archive("upstream", upstream)("address", address)("port", port)("finding", finding);
  }
  bool operator==(const EndpointDown&) const = default;
};

/// All endpoints that fail now; takes the place of the report before.
struct HealthReport {
  std::vector<EndpointDown> down;

  template <class Archive>
  void describe(Archive& archive) {
    archive("down", down);
  }
  bool operator==(const HealthReport&) const = default;
};

/// In the order of their type bytes.
using Message = std::variant<Hello, Update, Adopted, Refused, HealthReport>;

/// The whole frame.
std::string encode_frame(const Message& message);

/// Null where both ends understand each other; else the sentence for the log.
std::optional<std::string> mismatch(const Hello& theirs);

/// Cuts frames out of a stream of bytes that arrive in any pieces.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// The next whole message; nothing while more bytes are needed; an error ends the connection.
  base::Result<std::optional<Message>> next();

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace penstock::snapshot
