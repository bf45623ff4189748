#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

/// Whether requests of one route have spans, and whose they are.
struct Trace {
  bool is_enabled = false;
  bool trusts_incoming = true;  // a client's traceparent is continued; else a new trace begins
  std::string operation;        // name of the server span; empty: as the global settings say

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_enabled", is_enabled)("trusts_incoming", trusts_incoming)("operation", operation);
  }
  bool operator==(const Trace&) const = default;
};

enum class Sampler : std::uint8_t { kAlwaysOn, kAlwaysOff, kTraceIdRatio };
template <>
struct EnumNames<Sampler> {
  static constexpr std::array<std::string_view, 3> names = {"always_on", "always_off",
                                                            "trace_id_ratio"};
};

/// Where spans go and which are kept: of the whole proxy.
struct TraceSettings {
  std::string collector_host;  // an address or a name; empty: no route has spans
  /// Of OTLP over HTTP. The original's 4317 is that of OTLP over gRPC.
  std::uint16_t collector_port = 4318;
  std::string service_name = "nginx";
  std::string operation;  // name of server spans, with the variables of log lines
  Sampler sampler = Sampler::kAlwaysOn;
  std::uint32_t ratio_per_million = 10'000;  // of trace_id_ratio
  bool follows_parent = true;                // a trusted traceparent decides before the sampler
  std::uint32_t max_queue = 2048;            // spans that wait; what comes on top is dropped
  base::Duration delay{5'000};               // longest wait of a span for others
  std::uint32_t max_batch = 512;             // spans of one message

  template <class Archive>
  void describe(Archive& archive) {
    archive("collector_host", collector_host)("collector_port", collector_port)(
        "service_name", service_name)("operation", operation)("sampler", sampler)(
        "ratio_per_million", ratio_per_million)("follows_parent", follows_parent)(
        "max_queue", max_queue)("delay", delay)("max_batch", max_batch);
  }
  bool operator==(const TraceSettings&) const = default;
};

}  // namespace penstock::snapshot
