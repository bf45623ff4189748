#include "tests/instructions/small_worker.h"

#include <memory>
#include <stdexcept>
#include <utility>

#include "proxy/session/http_session.h"

namespace penstock::instructions {
namespace {

constexpr base::Duration kPatience{1'000};

}  // namespace

SmallWorker::SmallWorker(const routing::Compiled& compiled, Serves serves)
    : listener_(reactor_, [this](auto accepted) { accept(std::move(accepted)); }), serves_(serves) {
  const auto& global = compiled.table->global();
  parts_.table = compiled.table;
  parts_.random.seed(1);
  parts_.ids.seed(1);
  parts_.pool.configure(global.keepalive);
  parts_.logs = {
      global.access_log.http_is_enabled, global.access_log.stream_is_enabled,
      global.access_log.logs_default_backend,
      telemetry::HttpLogFormat(global.access_log.http_format, global.access_log.escape),
      telemetry::StreamLogFormat(global.access_log.stream_format, global.access_log.escape)};
  for (const auto slot : compiled.change.upstreams) {
    const auto* upstream = compiled.table->upstream(slot);
    if (slot >= parts_.upstreams.size()) parts_.upstreams.resize(slot + 1);
    auto& state = parts_.upstreams[slot];
    state = std::make_unique<upstream::UpstreamState>(parts_.random);
    state->reconcile(upstream->upstream(), upstream->endpoints());
  }
  if (serves_ == Serves::kTcp) {
    port_ = std::make_shared<session::TcpPort>(parts_, connections_,
                                               *parts_.table->streams().find("tcp/1"));
  }
  if (!listener_.open("127.0.0.1", 0)) throw std::runtime_error("no port on loopback");
  listener_.start();
}

void SmallWorker::accept(net::Listener::Accepted accepted) {
  if (serves_ == Serves::kTcp) return port_->accept(std::move(accepted));
  auto pass = connections_.try_enter();
  auto session = std::make_unique<session::HttpSession>(parts_, std::move(accepted), false, 80);
  base::spawn("HTTP connection", session::HttpSession::serve(std::move(session), std::move(*pass)));
}

void SmallWorker::turn() {
  if (!is_counted_) return reactor_.turn(kPatience);
  const Collecting collecting;
  reactor_.turn(kPatience);
}

}  // namespace penstock::instructions
