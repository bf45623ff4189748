#include "proxy/telemetry/unknown_variables.h"

#include <fmt/format.h>

#include "proxy/telemetry/log_format.h"

namespace penstock::telemetry {

std::vector<UnknownVariable> unknown_variables(const snapshot::Global& global) {
  std::vector<UnknownVariable> out;
  const auto add = [&](std::string_view key, const std::vector<std::string>& unknown) {
    for (const auto& name : unknown) {
      out.push_back({key, fmt::format("{}: ${} is not known and stands as '-'", key, name)});
    }
  };
  const auto& log = global.access_log;
  add("log-format-upstream", HttpLogFormat(log.http_format, log.escape).unknown());
  add("log-format-stream", StreamLogFormat(log.stream_format, log.escape).unknown());
  add("opentelemetry-operation-name",
      HttpLogFormat(global.traces.operation, log.escape).unknown());
  return out;
}

}  // namespace penstock::telemetry
