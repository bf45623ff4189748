#pragma once
// TLS of TCP streams: the client's side (passed through or terminated) and the upstream's.
#include <map>
#include <memory>
#include <string>

#include "proxy/base/duration.h"
#include "proxy/base/task.h"
#include "proxy/net/client_hello.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_context.h"
#include "proxy/snapshot/snapshot.h"

namespace penstock::session {

struct WorkerParts;

/// The contexts of one stream in one worker. A handshake holds them until it is over.
struct StreamTlsContexts {
  snapshot::PartPtr part;                         // what they were made from
  std::unique_ptr<net::TlsServerContext> server;  // null: not terminated, or not usable
  std::map<std::string, std::unique_ptr<net::TlsClientContext>> clients;  // by authorities
};

/// Those of all streams of a worker, made when they are first needed. What does not change of a
/// stream keeps its resumable sessions.
class StreamTlsCache {
 public:
  std::shared_ptr<StreamTlsContexts> of(WorkerParts& worker, const snapshot::PartPtr& stream);
  void forget(const std::string& stream) { contexts_.erase(stream); }

 private:
  std::map<std::string, std::shared_ptr<StreamTlsContexts>> contexts_;
};

/// From the first byte to the end of the handshake, and for the hello where it decides more.
inline constexpr base::Duration kTlsWait{10'000};

/// What became of the beginning of a client's connection.
struct TlsEntry {
  bool is_through = false;
  net::ClientHello hello;  // where it wants to go; of what is terminated, with the agreed protocol
  std::string early;       // passed through: what was read and belongs to the upstream
  std::string request;     // MySQL's for TLS, which the endpoint is to get
  std::string failure;     // for a log line
};

/// The client's hello, after what is spoken before TLS; what was read stays in `early`. The caller
/// bounds the time.
base::Task<TlsEntry> read_hello(net::Stream& client, snapshot::StartTls protocol,
                                std::string early);

/// Does what the stream's mode asks for, in bounded time. `early` is what was read from the client
/// before, `is_asked` that it has asked for TLS by STARTTLS already; `greeting`, which must outlive
/// the task, what a MySQL server has said. The connection stays open where it fails, for an alert
/// to arrive.
base::Task<TlsEntry> enter_tls(WorkerParts& worker, net::Stream& client,
                               const snapshot::PartPtr& stream, std::string early,
                               bool is_asked = false, std::string_view greeting = {});

/// Our handshake with an endpoint; the caller bounds the time. The certificate is checked as the
/// backend wants it.
base::Task<base::IoResult<void>> secure_upstream(WorkerParts& worker, net::Stream& upstream,
                                                 const snapshot::PartPtr& stream,
                                                 const snapshot::BackendTls& tls);

}  // namespace penstock::session
