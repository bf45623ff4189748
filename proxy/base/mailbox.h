#pragma once
// Work that other threads hand to the thread of a loop. The loop watches `descriptor` and calls
// `run_all` when it is readable.
#include <functional>
#include <mutex>
#include <vector>

#include "proxy/base/descriptor.h"

namespace penstock::base {

class Mailbox {
 public:
  using Work = std::function<void()>;

  /// Throws std::system_error where the kernel gives no eventfd: a failure of start-up.
  Mailbox();

  int descriptor() const { return wake_.get(); }
  /// From any thread. What is posted by one thread runs in that order.
  void post(Work work);
  /// The owner's thread: runs what is there, and nothing that this work posts in turn.
  void run_all();

 private:
  Descriptor wake_;
  std::mutex mutex_;
  std::vector<Work> waiting_;
};

}  // namespace penstock::base
