#pragma once
// The log line of a TCP or UDP session, where its port wants one.
#include <memory>
#include <string>
#include <string_view>

#include "proxy/session/worker_parts.h"
#include "proxy/snapshot/policy/stream_log.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

/// Whether this session is one that is logged; draws where only some are.
bool wants_log(WorkerParts& worker, const snapshot::StreamLog& log);
/// Of the port that a stream's connections come through: "tcp/443" of "tcp/443/db/orders", too.
inline std::string_view port_name(std::string_view stream) {
  return stream.substr(0, stream.find('/', stream.find('/') + 1));
}
/// Is this the name of a stream of the port? "tcp/443" is that port on every address,
/// "tcp/10.0.0.1:443" on this one; an empty `port` is every port.
bool is_of_port(std::string_view stream, std::string_view port);
/// What this worker counts of the port. Where there are too many, it counts for nobody.
template <class Stream>
std::shared_ptr<telemetry::StreamSeries> series_of(WorkerParts& worker, const Stream& stream) {
  auto series = worker.metrics.stream(
      {std::string(port_name(stream.name)), stream.name_space, stream.object});
  return series ? series : std::make_shared<telemetry::StreamSeries>();
}
void write_log(WorkerParts& worker, const snapshot::StreamLog& log,
               const telemetry::StreamRecord& record);

}  // namespace penstock::session
