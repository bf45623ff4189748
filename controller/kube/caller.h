#pragma once
// Calls that are waited for, within a time: for commands. The controller itself waits for nothing.
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/list_page.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/result.h"

namespace penstock::kube {

class Caller {
 public:
  /// Nothing is answered after `end`.
  explicit Caller(const ClusterAccess& access, base::SteadyTime end = base::SteadyTime::max())
      : client_(io_, access), end_(end) {}

  Response ask(Request request);
  Response get(std::string path);
  /// A few at a time; the answers in the order of the requests.
  std::vector<Response> ask_all(std::vector<Request> requests);
  /// Visits the objects of a collection, page by page; `selector` is more of the query. False where
  /// the kind is not installed.
  base::Result<bool> list(const std::string& collection, const std::string& selector,
                          const std::function<void(const RawObject&)>& visit);
  base::SteadyTime end() const { return end_; }
  void set_end(base::SteadyTime end) { end_ = end; }
  /// False where the end comes first.
  bool wait(base::SteadyTime::duration time);

 private:
  std::vector<Response> ask_some(std::span<Request> requests);
  bool run_until(const std::function<bool()>& is_done);

  asio::io_context io_;
  Client client_;
  base::SteadyTime end_;
};

}  // namespace penstock::kube
