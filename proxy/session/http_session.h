#pragma once
// One client's HTTP connection from accept to close: TLS, then request after request.
#include <list>
#include <memory>
#include <string>

#include "proxy/base/gate.h"
#include "proxy/filters/exchange.h"
#include "proxy/http/h1_parser.h"
#include "proxy/net/listener.h"
#include "proxy/session/forward.h"
#include "proxy/session/heads.h"
#include "proxy/session/worker_parts.h"

namespace penstock::session {

class HttpSession {
 public:
  HttpSession(WorkerParts& worker, net::Listener::Accepted accepted, bool is_tls,
              std::uint16_t port);

  /// Serves until the connection ends; the session lives as long as the coroutine.
  static base::Task<void> serve(std::unique_ptr<HttpSession> session, base::Gate::Pass pass);

 private:
  enum class Next : std::uint8_t { kRequest, kClose };

  base::Task<void> run();
  base::Task<bool> begin();
  base::Task<bool> read_proxy_header(const snapshot::ForwardedHeaders& forwarded);
  base::Task<Next> serve_one();
  base::Task<bool> read_head(http::HeadFailure& failure);
  base::Task<base::IoResult<std::size_t>> read_while_idle();
  base::Task<Next> answer(const routing::RoutingTable& table);
  base::Task<Next> reply(std::uint16_t status, std::string_view location, Next next);
  void set_scheme();
  void finish(bool is_parsed);
  telemetry::HttpRecord record(bool is_parsed) const;
  std::string request_id();
  http::HeadLimits limits(const snapshot::ClientLimits& client) const;

  WorkerParts& worker_;
  net::Stream stream_;
  net::Deadline deadline_;
  ClientSide side_;
  Input input_;
  std::string head_bytes_;
  http::RequestHead request_;
  filters::Exchange exchange_;
  std::uint32_t served_ = 0;
  base::SteadyTime begun_;         // of this exchange
  std::uint64_t sent_before_ = 0;  // bytes of the connection before this exchange
  std::uint64_t received_before_ = 0;
  std::list<net::Stream*> idle_node_{&stream_};  // moves to the worker's list while idle
};

}  // namespace penstock::session
