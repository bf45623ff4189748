#pragma once
// Who follows a port of a worker with bytes, as `penstock tap` does.
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/worker/worker.h"

namespace penstock::worker {

class Follower {
 public:
  Follower(Worker& worker, const std::string& port, std::size_t bytes)
      : written_(std::make_shared<telemetry::TapLines>()) {
    worker.set_taps({{port, {}, written_, bytes}});
    std::promise<void> has_them;
    worker.report({}, [&](const Report&) { has_them.set_value(); });
    has_them.get_future().get();
  }
  /// Until the end of a session: the events, and of bytes what stands behind "from=".
  std::vector<std::string> until_end() {
    std::vector<std::string> out;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      for (const auto& line : written_->take().lines) out.push_back(told(line));
      if (!out.empty() && out.back().starts_with("end ")) return out;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return out;
  }

 private:
  static std::string told(const std::string& line) {
    if (line.contains(" data ")) return line.substr(line.find(" from=") + 6);
    const auto reason = line.find("reason=");
    if (reason == std::string::npos) return line.substr(line.find(' ') + 1, 5);
    return "end " + line.substr(reason, line.find(" time_ms=") - reason);
  }

  std::shared_ptr<telemetry::TapLines> written_;
};

}  // namespace penstock::worker
