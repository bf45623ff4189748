#pragma once
// What one exchange needs while it runs: buffers, parsed heads, the exchange itself. A worker keeps
// a few and lends them from request to request, so that a request allocates nothing and a
// connection without one holds nothing.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/filters/exchange.h"
#include "proxy/http/message.h"
#include "proxy/session/input.h"
#include "proxy/telemetry/trace.h"
#include "proxy/upstream/endpoint.h"

namespace penstock::session {

struct Workspace {
  Input input;  // the client's head, and what came behind it; stays in place for the exchange
  http::RequestHead request;
  filters::Exchange exchange;
  std::string buffered;  // of the body, where it had to be gathered
  http::ResponseHead response;
  telemetry::RequestTrace trace;  // where the route has one
  std::string out;                // a head, or a chunk, on its way out
  std::vector<upstream::EndpointPtr> tried;
  std::string pipelined;  // what came behind a request's body

  bool is_large() const {
    constexpr std::size_t kLarge = 32 << 10;
    return input.capacity() > kLarge || buffered.capacity() > kLarge || out.capacity() > 2 * kLarge;
  }
};

class WorkspacePool {
 public:
  struct GiveBack {
    WorkspacePool* pool;
    void operator()(Workspace* workspace) const { pool->give_back(workspace); }
  };
  /// Must not outlive the pool.
  using Loan = std::unique_ptr<Workspace, GiveBack>;

  Loan lend() {
    if (free_.empty()) return Loan(new Workspace, GiveBack{this});
    auto* workspace = free_.back().release();
    free_.pop_back();
    return Loan(workspace, GiveBack{this});
  }

 private:
  static constexpr std::size_t kMostKept = 256;

  void give_back(Workspace* workspace) {
    std::unique_ptr<Workspace> owned(workspace);
    owned->tried.clear();
    // A connection may end with bytes that nobody has read: the next client must never get them.
    owned->input.clear();
    owned->pipelined.clear();
    if (free_.size() < kMostKept && !owned->is_large()) free_.push_back(std::move(owned));
  }

  std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace penstock::session
