#pragma once
// The first bytes of one session, each way, for who follows it with bytes (`penstock tap --bytes`).
// Each piece that comes is a line, so that it can be seen where one side waits for the other; after
// kMostPieces of a direction the rest is gathered into one, for who drips must not fill the tap.
// Bytes are redacted as they come: what they were is kept nowhere. On the session's worker.
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/end_reason.h"
#include "proxy/telemetry/tap.h"

namespace penstock::session {

/// "2026-01-05T10:00:00Z begin 10.9.0.7:41224 tcp/5432 TCPService db/orders"; `session` is what
/// comes after the event.
std::string tap_line(const base::CoarseClock& clock, std::string_view event,
                     std::string_view session);

class StreamRecording {
 public:
  static constexpr std::size_t kMostPieces = 32;

  /// The clock outlives it.
  StreamRecording(const base::CoarseClock& clock, std::string session)
      : clock_(clock), session_(std::move(session)) {}

  /// Records for it, too, unless enough sessions do.
  void enter(const telemetry::Tap& tap);
  /// One read, or one datagram.
  void add(base::Side from, std::string_view bytes);
  /// Nothing more comes: writes what has been gathered.
  void end();
  /// Nobody wants more of it.
  bool is_done() const { return takers_.empty(); }

 private:
  struct Direction {
    std::size_t seen = 0;  // bytes of it, as far as they are shown
    std::size_t pieces = 0;
    std::size_t gathered_at = 0;
    std::string gathered;  // redacted
  };
  struct Taker {
    explicit Taker(const telemetry::Tap& tap) : written(tap.written), most(tap.bytes) {}
    ~Taker() { written->leave_recording(); }
    Taker(const Taker&) = delete;
    Taker& operator=(const Taker&) = delete;
    bool is_done() const {
      return (directions[0].seen == most && directions[1].seen == most) || written->has_ended();
    }

    std::shared_ptr<telemetry::TapLines> written;
    std::size_t most;
    std::array<Direction, 2> directions;  // by Side
  };

  void add_for(Taker& taker, base::Side from, std::string_view bytes);
  /// `rest` is what follows the number of bytes.
  void write(Taker& taker, base::Side from, std::size_t offset, std::size_t size,
             std::string_view rest, std::string_view redacted);
  void write_gathered(Taker& taker, base::Side from);

  const base::CoarseClock& clock_;
  std::string session_;
  std::vector<std::unique_ptr<Taker>> takers_;
};

}  // namespace penstock::session
