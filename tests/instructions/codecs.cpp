// Heads and bodies as bytes.
#include <fmt/format.h>

#include <string>

#include "proxy/http/chunked.h"
#include "proxy/http/h1_parser.h"
#include "tests/instructions/collect.h"
#include "tests/instructions/paths.h"
#include "tests/instructions/samples.h"

namespace penstock::instructions {

void parse_request(int times) {
  const auto bytes = browser_request(host_name(0), path(2));
  http::RequestHead head;
  measure(times, [&] {
    http::HeadScanner scanner;
    keep(http::parse_request_head({bytes.data(), scanner.scan(bytes)}, {}, head));
  });
}

void parse_response(int times) {
  const auto bytes = response(1 << 10);
  http::ResponseHead head;
  measure(times, [&] {
    http::HeadScanner scanner;
    keep(http::parse_response_head({bytes.data(), scanner.scan(bytes)}, {}, "GET", head));
  });
}

void write_request(int times) {
  const auto compiled = table(1, 80);
  const auto bytes = browser_request(host_name(0), path(2));
  const auto request = parsed_request(bytes);
  const auto exchange = instructions::exchange(*compiled.table, request);
  const auto client = client_side();
  std::string out;
  measure(times, [&] { session::write_request_head(exchange, client, {}, {}, out); });
}

void write_response(int times) {
  const auto compiled = table(1, 80);
  const auto bytes = browser_request(host_name(0), path(2));
  const auto request = parsed_request(bytes);
  const auto exchange = instructions::exchange(*compiled.table, request);
  const auto answer = response_head(1 << 10);
  const auto response = parsed_response(answer);
  const base::WallTime now{std::chrono::seconds(1'767'225'600)};
  std::string out;
  measure(times, [&] { session::write_response_head(response, exchange, {}, now, out); });
}

/// 4,096 bytes in four chunks.
void decode_chunked(int times) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += fmt::format("400\r\n{}\r\n", std::string(1 << 10, 'x'));
  bytes += "0\r\n\r\n";
  measure(times, [&] {
    http::ChunkedDecoder decoder;
    std::string_view rest = bytes;
    while (decoder.state() == http::ChunkedDecoder::State::kMore) {
      const auto step = decoder.feed(rest);
      keep(step.data);
      rest.remove_prefix(step.consumed);
    }
  });
}

}  // namespace penstock::instructions
