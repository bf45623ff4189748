#pragma once
// Exact reads and whole writes, for what is said in the clear before TLS begins.
#include <string>
#include <string_view>

#include "proxy/base/task.h"
#include "proxy/net/stream.h"

namespace penstock::session {

/// Reads until `bytes` holds `size` of them, and never more; false where the connection ends
/// before. The caller bounds the time.
base::Task<bool> fill(net::Stream& stream, std::string& bytes, std::size_t size);

/// False where it could not be sent whole.
base::Task<bool> say(net::Stream& stream, std::string_view text);

}  // namespace penstock::session
