#include "controller/cli/snapshot_reader.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "proxy/snapshot/codec.h"
#include "proxy/snapshot/wire.h"

namespace penstock::cli {
namespace {

constexpr timeval kLongestWait{5, 0};

}  // namespace

base::Result<snapshot::Snapshot> read_snapshot(const std::string& path) {
  asio::io_context io;
  base::LocalSocket socket(io);
  base::error_code code;
  socket.connect(asio::local::stream_protocol::endpoint(path), code);
  if (code) return base::fail(fmt::format("no controller at {}: {}", path, code.message()));
  setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &kLongestWait, sizeof kLongestWait);
  snapshot::Hello hello;
  hello.fingerprint = snapshot::schema_fingerprint();
  hello.program = "penstock " PENSTOCK_VERSION;
  hello.is_reader = true;
  asio::write(socket, asio::buffer(snapshot::encode_frame(snapshot::Message(hello))), code);
  snapshot::FrameReader frames;
  std::string buffer(64 << 10, '\0');
  while (!code) {
    const auto size = socket.read_some(asio::buffer(buffer), code);
    frames.feed(std::string_view(buffer).substr(0, size));
    for (;;) {
      auto message = frames.next();
      if (!message) return base::fail(fmt::format("{}: {}", path, message.error().message));
      if (!*message) break;
      if (const auto* theirs = std::get_if<snapshot::Hello>(&**message)) {
        if (const auto why = snapshot::mismatch(*theirs)) return base::fail(*why);
      }
      if (const auto* update = std::get_if<snapshot::Update>(&**message)) {
        snapshot::Snapshot out;
        snapshot::apply(*update, out);
        return out;
      }
    }
  }
  return base::fail(fmt::format(
      "{}: {}", path,
      code == asio::error::eof ? "the controller hung up" : "nothing is published yet"));
}

}  // namespace penstock::cli
