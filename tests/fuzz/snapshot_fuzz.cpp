// The conversation between controller and proxy, as a proxy would take it: frames, updates,
// validation, and the YAML form of whatever came through.
#include <cstdlib>
#include <string_view>

#include "proxy/snapshot/codec.h"
#include "proxy/snapshot/validate.h"
#include "proxy/snapshot/wire.h"
#include "proxy/snapshot/yaml.h"

using namespace penstock::snapshot;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FrameReader frames;
  frames.feed(bytes);
  for (;;) {
    auto message = frames.next();
    if (!message || !*message) break;
  }
  const auto update = decode_update(bytes);
  if (!update) return 0;
  Snapshot snapshot;
  apply(*update, snapshot);
  validate(*update, snapshot);
  to_yaml(snapshot);
  const auto again = decode_update(encode(*update));
  if (!again || again->parts.size() != update->parts.size()) std::abort();
  return 0;
}
