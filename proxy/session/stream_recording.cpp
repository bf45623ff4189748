#include "proxy/session/stream_recording.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "proxy/telemetry/redaction.h"

namespace penstock::session {
namespace {

std::string redacted_text(std::string_view bytes) {
  std::string out;
  telemetry::append_redacted(bytes, out);
  return out;
}

}  // namespace

std::string tap_line(const base::CoarseClock& clock, std::string_view event,
                     std::string_view session) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {:<5} {}", fmt::gmtime(clock.wall()), event, session);
}

void StreamRecording::enter(const telemetry::Tap& tap) {
  if (tap.written->enter_recording()) takers_.push_back(std::make_unique<Taker>(tap));
}

void StreamRecording::add(base::Side from, std::string_view bytes) {
  std::erase_if(takers_, [&](const std::unique_ptr<Taker>& taker) {
    if (!taker->is_done()) add_for(*taker, from, bytes);
    return taker->is_done();
  });
}

void StreamRecording::add_for(Taker& taker, base::Side from, std::string_view bytes) {
  auto& direction = taker.directions[static_cast<std::size_t>(from)];
  if (direction.seen == taker.most) return;
  const auto shown = bytes.substr(0, taker.most - direction.seen);
  const auto offset = direction.seen;
  direction.seen += shown.size();
  if (direction.pieces < kMostPieces) {
    ++direction.pieces;
    const auto rest =
        shown.size() < bytes.size() ? fmt::format(" of={}", bytes.size()) : std::string();
    return write(taker, from, offset, shown.size(), rest, redacted_text(shown));
  }
  if (direction.gathered.empty()) direction.gathered_at = offset;
  telemetry::append_redacted(shown, direction.gathered);
  if (direction.seen == taker.most) write_gathered(taker, from);
}

void StreamRecording::end() {
  for (const auto& taker : takers_) {
    write_gathered(*taker, base::Side::kClient);
    write_gathered(*taker, base::Side::kUpstream);
  }
  takers_.clear();
}

void StreamRecording::write_gathered(Taker& taker, base::Side from) {
  auto& direction = taker.directions[static_cast<std::size_t>(from)];
  const auto text = std::exchange(direction.gathered, {});
  if (text.empty()) return;
  write(taker, from, direction.gathered_at, direction.seen - direction.gathered_at, " gathered",
        text);
}

void StreamRecording::write(Taker& taker, base::Side from, std::size_t offset, std::size_t size,
                            std::string_view rest, std::string_view redacted) {
  if (!taker.written->has_room()) return;
  auto line = tap_line(clock_, "data", session_);
  line += fmt::format(" from={} offset={} bytes={}{} text=\"{}\"",
                      from == base::Side::kClient ? "client" : "upstream", offset, size, rest,
                      redacted);
  taker.written->add(std::move(line));
}

}  // namespace penstock::session
