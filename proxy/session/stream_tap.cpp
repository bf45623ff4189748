#include "proxy/session/stream_tap.h"

#include <fmt/format.h>

#include <string>

#include "proxy/base/ip_net.h"
#include "proxy/session/stream_log.h"

namespace penstock::session {
namespace {

bool is_tapped(const telemetry::Tap& tap, const TappedSession& session) {
  if (!is_of_port(session.stream, tap.port)) return false;
  return tap.clients.empty() || base::contains(tap.clients, *session.client);
}

std::string name_of(const TappedSession& session) {
  return fmt::format("{} {} {}", base::format_endpoint(*session.client, session.client_port),
                     session.stream, session.owner);
}

/// `rest` makes what follows; it is called at most once.
template <class Rest>
void write_tapped(WorkerParts& worker, const TappedSession& session, std::string_view event,
                  Rest rest) {
  std::string line;
  for (const auto& tap : worker.taps) {
    if (!is_tapped(tap, session) || !tap.written->has_room()) continue;
    if (line.empty()) line = tap_line(worker.clock, event, name_of(session)) + rest();
    tap.written->add(line);
  }
}

}  // namespace

std::unique_ptr<StreamRecording> tap_begin(WorkerParts& worker, const TappedSession& session) {
  write_tapped(worker, session, "begin", [] { return std::string(); });
  std::unique_ptr<StreamRecording> out;
  for (const auto& tap : worker.taps) {
    if (tap.bytes == 0 || !is_tapped(tap, session)) continue;
    if (!out) out = std::make_unique<StreamRecording>(worker.clock, name_of(session));
    out->enter(tap);
  }
  if (out && out->is_done()) out.reset();
  return out;
}

void tap_end(WorkerParts& worker, const TappedSession& session, const TappedEnd& end) {
  write_tapped(worker, session, "end", [&] {
    auto out = fmt::format(" reason={} received={} sent={} time_ms={} endpoint={}",
                           base::word_of(end.reason), end.received, end.sent, end.time.count(),
                           end.endpoint == nullptr ? "-"
                                                   : base::format_endpoint(end.endpoint->address(),
                                                                           end.endpoint->port()));
    const std::string_view side = end.side == base::Side::kClient ? "client" : "upstream";
    if (end.code) out += fmt::format(" error={}: {}", side, end.code.message());
    if (!end.detail.empty()) out += fmt::format(" detail={}", end.detail);
    return out;
  });
}

}  // namespace penstock::session
