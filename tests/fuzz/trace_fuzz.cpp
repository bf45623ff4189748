// What clients say of traces, and what becomes of their texts in a message to the collector.
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/telemetry/http_post.h"
#include "proxy/telemetry/json_text.h"
#include "proxy/telemetry/trace.h"

namespace {

using namespace penstock;

void require(bool holds) {
  if (!holds) std::abort();
}

/// A JSON string: no quote, no control byte and no lone backslash within.
bool is_json_string(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  text = text.substr(1, text.size() - 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == '"') return false;
    if (text[i] != '\\') continue;
    if (i + 6 > text.size() || text[i + 1] != 'u') return false;
    i += 5;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto parent = telemetry::parse_traceparent(text)) {
    std::string printed;
    telemetry::append_traceparent(printed, *parent);
    require(printed.size() == telemetry::kTraceparentSize);
    require(telemetry::parse_traceparent(printed) == *parent);
  }
  std::string state;
  const auto half = text.size() / 2;
  if (telemetry::append_tracestate(state, text.substr(0, half)) &&
      telemetry::append_tracestate(state, text.substr(half))) {
    require(state.size() <= telemetry::kMostTracestate);
    std::string again;
    require(telemetry::append_tracestate(again, state));
    require(again == state);
  }
  std::string json;
  telemetry::append_json_text(json, text, 100);
  require(json.size() <= 2 + 100 * 6);
  require(is_json_string(json));
  telemetry::PostAnswer answer;
  std::size_t body = 0;
  telemetry::read_answer_head(text, answer, body);
  return 0;
}
