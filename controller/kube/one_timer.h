#pragma once
// A timer with one handler at a time that really does nothing after cancel(): Asio's own still
// runs a handler whose time had come before the cancel.
#include <chrono>
#include <memory>

#include "proxy/base/asio.h"

namespace penstock::kube {

class OneTimer {
 public:
  explicit OneTimer(asio::io_context& io) : timer_(io) {}

  /// Replaces whatever was waiting.
  template <class Handler>
  void after(std::chrono::steady_clock::duration delay, Handler handler) {
    armed_ = std::make_shared<char>();
    timer_.expires_after(delay);
    timer_.async_wait([armed = std::weak_ptr(armed_), handler](base::error_code code) {
      if (!code && !armed.expired()) handler();
    });
  }
  void cancel() {
    armed_.reset();
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<char> armed_;
};

}  // namespace penstock::kube
