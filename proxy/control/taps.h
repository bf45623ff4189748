#pragma once
// Who follows the sessions of a port through the admin socket (`penstock tap`). Each is given an
// id that nobody can guess, and asks again and again for the lines since the last time; one that
// does not ask for kPatience, or whose time is over, is ended. Bounded: kMostTaps, and for each the
// lines that wait. Control thread.
#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "proxy/base/asio.h"
#include "proxy/base/http_server.h"
#include "proxy/telemetry/tap.h"
#include "proxy/worker/worker_pool.h"

namespace penstock::control {

class Taps {
 public:
  static constexpr std::size_t kMostTaps = 8;
  static constexpr std::chrono::seconds kPatience{10};
  using Pool = std::function<worker::WorkerPool*()>;  // null while nothing is served

  Taps(asio::io_context& io, Pool pool) : pool_(std::move(pool)), timer_(io) {}

  /// Parameters: port ("tcp/5432", "udp/53"); client, an address or CIDR; seconds (1 to 600, 60);
  /// bytes (1 to 4096), that are shown of each direction of a session, redacted; none without it.
  base::HttpReply begin(const base::HttpRequest& request);
  /// Parameter: id. {"lines": [...], "dropped": n, "not_recorded": n, "is_over": bool}; 404 where
  /// it has ended and its last lines have been taken, or never was.
  base::HttpReply take(const base::HttpRequest& request);
  /// Parameter: id. What `take` has, and ends it.
  base::HttpReply end(const base::HttpRequest& request);
  /// To workers that have just begun.
  void push();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Followed {
    telemetry::Tap tap;
    Time until;
    Time asked;
    bool is_over = false;
  };

  void check_soon();
  void check();

  Pool pool_;
  asio::steady_timer timer_;
  std::map<std::string, Followed, std::less<>> taps_;  // by id
};

}  // namespace penstock::control
