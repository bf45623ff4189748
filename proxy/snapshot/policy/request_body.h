#pragma once
#include "proxy/base/duration.h"

namespace penstock::snapshot {

/// What a client may send as a body and how it is held (nginx client_max_body_size,
/// client_body_buffer_size, proxy_request_buffering).
struct RequestBody {
  base::ByteSize max_size{1 << 20};  // 0 = no limit
  base::ByteSize buffer_size{8 << 10};
  bool is_buffered = true;  // read whole before an upstream is chosen

  template <class Archive>
  void describe(Archive& archive) {
    archive("max_size", max_size)("buffer_size", buffer_size)("is_buffered", is_buffered);
  }
  bool operator==(const RequestBody&) const = default;
};

}  // namespace penstock::snapshot
