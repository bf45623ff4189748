#pragma once
// A worker's parts without its thread: real listeners and real sessions, whose loop turns when it
// is told to, so that every instruction of a turn is the proxy's and none is the peers'.
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/base/gate.h"
#include "proxy/net/listener.h"
#include "proxy/net/reactor.h"
#include "proxy/routing/compile.h"
#include "proxy/session/tcp_port.h"
#include "proxy/session/worker_parts.h"
#include "tests/instructions/collect.h"

namespace penstock::instructions {

class SmallWorker {
 public:
  enum class Serves : std::uint8_t { kHttp, kTcp };

  SmallWorker(const routing::Compiled& compiled, Serves serves);
  SmallWorker(const SmallWorker&) = delete;
  SmallWorker& operator=(const SmallWorker&) = delete;

  std::uint16_t port() const { return listener_.port(); }

  /// Turns the loop until `peer` has something to receive.
  template <class Peer>
  void turn_until_news(Peer& peer) {
    while (!peer.has_news()) turn();
  }
  /// `exchange` makes use of the above; its turns are counted.
  template <class Exchange>
  void measure(int times, Exchange exchange) {
    begin();
    for (int i = 0; i < kWarmUp; ++i) exchange();
    is_counted_ = true;
    for (int i = 0; i < times; ++i) exchange();
    is_counted_ = false;
  }

 private:
  void accept(net::Listener::Accepted accepted);
  void turn();

  net::Reactor reactor_;
  telemetry::WorkerMetrics metrics_;
  session::WorkerParts parts_{reactor_, metrics_, nullptr};
  base::Gate connections_;
  net::Listener listener_;
  std::shared_ptr<session::TcpPort> port_;  // where TCP is served
  Serves serves_;
  bool is_counted_ = false;
};

}  // namespace penstock::instructions
