#pragma once
#include <cstdint>

namespace penstock::snapshot {

/// Bytes a second of one TCP session, each direction by itself, with a second's worth at once
/// (nginx proxy_download_rate, proxy_upload_rate). 0 = no limit.
struct Bandwidth {
  std::uint32_t download = 0;  // to the client
  std::uint32_t upload = 0;    // from the client

  template <class Archive>
  void describe(Archive& archive) {
    archive("download", download)("upload", upload);
  }
  bool operator==(const Bandwidth&) const = default;
};

}  // namespace penstock::snapshot
