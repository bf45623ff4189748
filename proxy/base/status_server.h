#pragma once
// The small HTTP server of /healthz, /readyz and /metrics that both programs have. It serves people
// and probes, never traffic: the library behind it (civetweb) has two threads of its own, so that a
// probe is answered whatever the rest of the program is doing.
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "proxy/base/result.h"

namespace penstock::base {

struct StatusReply {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

/// Called on the server's threads, one or more at a time.
using StatusHandler = std::function<StatusReply()>;

class StatusServer {
 public:
  /// `address` is "ADDRESS:PORT", port 0 for any. Handlers by exact path; GET and HEAD alone.
  static Result<std::unique_ptr<StatusServer>> start(const std::string& address,
                                                     std::map<std::string, StatusHandler> handlers);
  ~StatusServer();
  /// Where it listens.
  std::uint16_t port() const;

 private:
  struct State;
  explicit StatusServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace penstock::base
