#include "proxy/telemetry/spans.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "proxy/base/ip_net.h"
#include "proxy/telemetry/json_text.h"

namespace penstock::telemetry {
namespace {

constexpr int kServer = 2;  // SpanKind
constexpr int kClient = 3;
constexpr std::size_t kMostName = 256;
constexpr std::uint16_t kClientClosed = 499;  // our word in log lines; no client has seen it

constexpr std::array<std::string_view, 10> kNamedMethods = {
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"};

bool is_known(std::string_view method) {
  return std::ranges::find(kNamedMethods, method) != kNamedMethods.end();
}

/// As the client wrote it, without the query: queries hold what is nobody's business.
std::string_view path_of(const HttpRecord& record) {
  if (!record.target.starts_with('/')) return record.path;
  return record.target.substr(0, record.target.find('?'));
}

void append_time(std::string& out, std::string_view key, base::SteadyTime time,
                 const SpanTimes& times) {
  const auto wall = times.wall_ended.time_since_epoch() - (times.ended - time);
  fmt::format_to(std::back_inserter(out), R"("{}":"{}",)", key,
                 std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count());
}

/// All in front of the attributes.
void begin_span(std::string& out, const TraceParent& span, std::uint64_t parent,
                std::string_view state, int kind) {
  out += R"({"traceId":")";
  append_hex(out, span.trace);
  out += R"(","spanId":")";
  append_hex(out, span.span);
  out += R"(",)";
  if (parent != 0) {
    out += R"("parentSpanId":")";
    append_hex(out, parent);
    out += R"(",)";
  }
  if (!state.empty()) {
    out += R"("traceState":)";
    append_json_text(out, state, kMostTracestate);
    out += ',';
  }
  fmt::format_to(std::back_inserter(out), R"("flags":{},"kind":{},)", span.is_sampled ? 1 : 0,
                 kind);
}

void add_method(AttributeWriter& attributes, const HttpRecord& record) {
  const bool is_plain = is_known(record.method);
  attributes.text("http.request.method", is_plain ? record.method : "_OTHER");
  if (!is_plain) attributes.text("http.request.method_original", record.method);
}

void end_span(std::string& out, bool is_error) {
  out += is_error ? R"(],"status":{"code":2}})" : R"(],"status":{}})";
}

/// Why the request failed, as far as we or the upstream are to blame; empty where it did not.
std::string error_of(const HttpRecord& record) {
  if (record.status == kClientClosed) {
    return std::string(base::word_of(base::EndReason::kClientClosed));
  }
  if (record.status < 500) return {};
  if (!record.tries.empty() && record.tries.back().failure) {
    return std::string(base::word_of(*record.tries.back().failure));
  }
  return std::to_string(record.status);
}

std::string server_span(const HttpRecord& record, std::string_view name, const SpanTimes& times) {
  const auto& trace = *record.trace;
  std::string out;
  out.reserve(1536);
  begin_span(out, trace.server, trace.parent, trace.state, kServer);
  out += R"("name":)";
  append_json_text(out, name, kMostName);
  out += ',';
  append_time(out, "startTimeUnixNano", times.begun, times);
  append_time(out, "endTimeUnixNano", times.ended, times);
  out += R"("attributes":[)";
  AttributeWriter attributes(out);
  add_method(attributes, record);
  attributes.text("url.path", path_of(record))
      .text("url.scheme", record.scheme)
      .text("http.route", record.route_path)
      .text("server.address", record.host)
      .number("server.port", record.client.server_port)
      .text("client.address", record.client.address_text)
      .text("network.peer.address", base::unmapped(record.client.peer.address()).to_string())
      .number("network.peer.port", record.client.peer.port())
      .text("network.protocol.name", "http")
      .text("network.protocol.version", record.minor_version == 0 ? "1.0" : "1.1")
      .text("user_agent.original", record.header("user-agent"))
      .text("error.type", error_of(record))
      .text("penstock.namespace", record.name_space)
      .text("penstock.ingress", record.ingress)
      .text("penstock.service", record.service)
      .text("penstock.service_port", record.service_port)
      .text("penstock.request_id", record.request_id);
  if (record.status != kClientClosed) {
    attributes.number("http.response.status_code", record.status);
  }
  end_span(out, record.status >= 500);
  return out;
}

std::string client_span(const HttpRecord& record, std::size_t index, const UpstreamTry& attempt,
                        const SpanTimes& times) {
  const auto& trace = *record.trace;
  const auto& mine = trace.tries[index];
  const bool is_answered = attempt.header.count() >= 0;
  std::string error;
  if (attempt.failure) {
    error = base::word_of(*attempt.failure);
  } else if (is_answered && attempt.status >= 400) {
    error = std::to_string(attempt.status);
  }
  std::string out;
  out.reserve(1024);
  begin_span(out, {trace.server.trace, mine.span, trace.server.is_sampled}, trace.server.span,
             trace.state, kClient);
  out += R"("name":)";
  append_json_text(out, is_known(record.method) ? record.method : "HTTP", kMostName);
  out += ',';
  append_time(out, "startTimeUnixNano", mine.begun, times);
  append_time(out, "endTimeUnixNano", mine.ended, times);
  out += R"("attributes":[)";
  const auto address = base::unmapped(attempt.address.address());
  std::string url = trace.is_upstream_tls ? "https://" : "http://";
  base::append_endpoint(url, address, attempt.address.port());
  url += path_of(record);
  AttributeWriter attributes(out);
  add_method(attributes, record);
  attributes.text("url.full", url)
      .text("server.address", address.to_string())
      .number("server.port", attempt.address.port())
      .text("network.peer.address", address.to_string())
      .number("network.peer.port", attempt.address.port())
      .text("network.protocol.name", "http")
      .text("network.protocol.version", "1.1")
      .text("error.type", error);
  if (is_answered) attributes.number("http.response.status_code", attempt.status);
  if (index > 0) attributes.number("http.request.resend_count", index);
  end_span(out, !error.empty());
  return out;
}

}  // namespace

std::string span_name(const HttpRecord& record) {
  return fmt::format("{} {}", is_known(record.method) ? record.method : "HTTP", record.route_path);
}

std::vector<std::string> make_spans(const HttpRecord& record, std::string_view name,
                                    const SpanTimes& times) {
  std::vector<std::string> spans;
  spans.push_back(server_span(record, name, times));
  const auto count = std::min(record.trace->try_count, record.tries.size());
  for (std::size_t i = 0; i < count; ++i) {
    // Beyond the bound the last span is of the last attempt.
    const auto& attempt = i + 1 == count ? record.tries.back() : record.tries[i];
    spans.push_back(client_span(record, i, attempt, times));
  }
  return spans;
}

std::string message_head(const snapshot::TraceSettings& settings,
                         const snapshot::Instance& instance) {
  std::string out = R"({"resourceSpans":[{"resource":{"attributes":[)";
  AttributeWriter(out)
      .text("service.name", settings.service_name)
      .text("service.version", PENSTOCK_VERSION)
      .text("telemetry.sdk.name", "penstock")
      .text("telemetry.sdk.language", "cpp")
      .text("telemetry.sdk.version", PENSTOCK_VERSION)
      .text("k8s.namespace.name", instance.name_space)
      .text("k8s.pod.name", instance.pod);
  out += R"(]},"scopeSpans":[{"scope":{"name":"penstock","version":)";
  append_json_text(out, PENSTOCK_VERSION, AttributeWriter::kMostText);
  out += R"(},"spans":[)";
  return out;
}

}  // namespace penstock::telemetry
