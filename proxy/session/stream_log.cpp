#include "proxy/session/stream_log.h"

namespace penstock::session {
namespace {

constexpr std::uint32_t kMillion = 1'000'000;

const telemetry::StreamLogFormat& json_format() {
  static const telemetry::StreamLogFormat kFormat(
      R"({"time":"$time_iso8601","protocol":"$protocol","stream":"$proxy_upstream_name",)"
      R"("client":"$remote_addr","client_port":"$remote_port","server":"$server_addr",)"
      R"("server_port":"$server_port","status":"$status","reason":"$reason","bytes_received":"$bytes_received",)"
      R"("bytes_sent":"$bytes_sent","session_time":"$session_time","upstream":"$upstream_addr",)"
      R"("upstream_reason":"$upstream_reason",)"
      R"("upstream_connect_time":"$upstream_connect_time",)"
      R"("upstream_first_byte_time":"$upstream_first_byte_time",)"
      R"("upstream_bytes_received":"$upstream_bytes_received",)"
      R"("upstream_bytes_sent":"$upstream_bytes_sent"})",
      snapshot::LogEscape::kJson);
  return kFormat;
}

}  // namespace

bool wants_log(WorkerParts& worker, const snapshot::StreamLog& log) {
  if (!log.is_enabled || !worker.logs.stream_is_enabled) return false;
  return log.per_million >= kMillion || worker.random() % kMillion < log.per_million;
}

bool is_of_port(std::string_view stream, std::string_view port) {
  const auto own = port_name(stream);
  if (port.empty() || own == port) return true;
  const auto slash = port.find('/');
  const auto number = port.substr(slash == port.npos ? port.size() : slash + 1);
  if (number.empty() || number.contains(':')) return false;
  const bool is_same_kind = own.starts_with(port.substr(0, slash + 1));
  return is_same_kind && own.ends_with(number) && own[own.size() - number.size() - 1] == ':';
}

void write_log(WorkerParts& worker, const snapshot::StreamLog& log,
               const telemetry::StreamRecord& record) {
  const auto& format = log.is_json ? json_format() : worker.logs.stream;
  format.append(record, worker.log.lines());
  worker.log.added();
}

}  // namespace penstock::session
