#pragma once
// One exchange with an upstream: choose an endpoint, connect or reuse, send the request, relay the
// answer, and repeat on another endpoint where the route allows it.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/end_reason.h"
#include "proxy/base/event.h"
#include "proxy/filters/exchange.h"
#include "proxy/routing/routing_table.h"
#include "proxy/session/body_reader.h"
#include "proxy/session/heads.h"
#include "proxy/session/worker_parts.h"

namespace penstock::session {

/// nginx's word for a client that has gone; stands in logs and metrics and is never sent.
inline constexpr std::uint16_t kClientClosedRequest = 499;
/// How long a client may take none of an answer (nginx's send_timeout).
inline constexpr base::Duration kSendTimeout{60'000};

/// The client's connection, as a forwarded exchange needs it. Owned by the HttpSession.
struct ClientConnection {
  net::Stream& stream;
  net::Deadline& deadline;
  const ClientSide& side;
};

/// The chunked coding of one piece (RFC 9112 7.1), with the end of the body where it is the last.
void append_chunk(std::string& out, std::string_view piece, bool is_last);

class Forward {
 public:
  Forward(WorkerParts& worker, ClientConnection client, Workspace& work,
          const routing::CompiledRoute& route);
  ~Forward();
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  struct Outcome {
    std::uint16_t status = 0;   // sent by the upstream; or to be sent by us where not started
    bool is_answered = false;   // a response has at least begun to go to the client
    bool keeps_client = false;  // the client's connection is at the start of a next request
  };
  /// `keeps_client` goes in as whether the client may go on after this exchange at all.
  base::Task<Outcome> run(bool keeps_client);

 private:
  enum class Result : std::uint8_t { kDone, kFailed };
  struct Failure {
    std::uint16_t status = 502;
    base::EndReason reason = base::EndReason::kInternal;
    bool is_timeout = false;
    bool is_invalid = false;
    bool is_status = false;  // an answer that the route would rather have from another endpoint
    bool is_stale = false;   // a kept connection that had died: not the endpoint's fault
  };
  using Connection = std::unique_ptr<UpstreamConnection>;

  base::Task<bool> buffer_body();
  bool is_body_refused();
  base::Task<Result> attempt(upstream::Lease& lease, bool may_reuse);
  base::Task<Result> connect(upstream::Endpoint& endpoint);
  base::Task<Result> send_request();
  base::Task<Result> read_more_head();
  base::Task<Result> read_response_head();
  base::Task<Result> relay_response();
  base::Task<Result> relay_body(BodyReader& reader, bool is_chunked);
  void take_kept(const upstream::Endpoint& endpoint);
  base::Task<void> tunnel();
  base::Task<void> pump_body();
  base::Task<bool> pump_piece(std::string_view piece);
  base::Task<void> stop_pump();
  bool may_try_again() const;
  bool is_unwanted_status();
  std::uint64_t pool_key() const;
  Result fail(Failure failure);
  /// The connection failed, or there was no news of it within the time of its deadline.
  Failure broken(base::error_code code) const;
  base::EndReason cut_short(const BodyReader& reader) const;
  telemetry::UpstreamTry& current_try() { return exchange_.tries.back(); }
  base::Duration since(base::SteadyTime begun) const;
  void end_try(base::SteadyTime begun, std::uint64_t received_before);

  WorkerParts& worker_;
  ClientConnection client_;
  Workspace& work_;
  filters::Exchange& exchange_;
  const routing::CompiledRoute& route_;
  const snapshot::RoutePolicy& policy_;
  BodyReader request_body_;
  std::string_view body_;  // the part of it read before an endpoint was chosen
  bool is_continue_sent_ = false;
  bool is_pumping_ = false;
  bool is_pump_stopped_ = false;
  base::Event pump_done_;
  std::uint16_t body_status_ = 0;  // why the body could not be read: 400, 408, 413, 499

  Connection connection_;
  bool is_sent_ = false;
  bool is_reused_ = false;
  Failure failure_;
  BufferPool::Loan head_buffer_;  // of the answer's head, and what came with it
  std::string_view head_;
  std::string_view body_start_;
  base::SteadyTime begun_;      // of the first attempt
  std::uint32_t attempts_ = 0;  // this one included
  Outcome outcome_;
};

}  // namespace penstock::session
