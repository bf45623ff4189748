#pragma once
// One question to one endpoint, and what came of it. Whatever an endpoint sends is hostile: what is
// read is bounded in bytes, and the caller's deadline bounds it in time.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/pattern.h"
#include "proxy/base/task.h"
#include "proxy/net/reactor.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_context.h"
#include "proxy/snapshot/policy/health_check.h"

namespace penstock::health {

/// A check with what is prepared for it once.
struct Check {
  explicit Check(snapshot::HealthCheck settings);

  snapshot::HealthCheck settings;
  std::optional<base::Pattern> pattern;  // none where `expect` decides
  bool is_broken = false;                // the pattern is not one: nothing passes

  /// Is this, all that has come so far, what is expected?
  bool is_expected(std::string_view answer) const;
};

/// Empty: the endpoint is well. Else why not, in a few words for a person.
using Finding = std::string;

/// The most that is read of an answer.
inline constexpr std::size_t kMostRead = 16 << 10;

/// "Connection refused (errno 111)".
Finding finding_of(std::string_view phase, base::error_code code);

/// Asks `peer`, whose port is the one to be asked; returns within the check's timeout.
base::Task<Finding> probe(net::Reactor& reactor, net::TlsClientContext& tls, const Check& check,
                          base::TcpEndpoint peer);

// --- the kinds of questions; `stream` is connected

base::Task<Finding> probe_tls(net::TlsClientContext& tls, const Check& check, net::Stream& stream);
base::Task<Finding> probe_send_expect(const Check& check, net::Stream& stream);
base::Task<Finding> probe_http(const Check& check, net::Stream& stream, base::TcpEndpoint peer);
base::Task<Finding> probe_grpc(const Check& check, net::Stream& stream, base::TcpEndpoint peer);
base::Task<Finding> probe_datagram(net::Reactor& reactor, const Check& check,
                                   base::TcpEndpoint peer);

}  // namespace penstock::health
