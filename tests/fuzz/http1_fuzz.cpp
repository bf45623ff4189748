// Request and response heads and chunked bodies: what one split accepts every split accepts, and an
// accepted head never holds what could make two readers disagree about its framing.
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http/chunked.h"
#include "proxy/http/h1_parser.h"
#include "proxy/http/path.h"

using namespace penstock::http;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void try_request(std::string_view bytes) {
  HeadScanner whole;
  const auto size = whole.scan(bytes);
  HeadScanner pieces;
  std::size_t found = 0;
  for (std::size_t end = 1; end <= bytes.size() && found == 0; ++end) {
    found = pieces.scan(bytes.substr(0, end));
  }
  require(found == size);
  check_partial_request(bytes, {});
  if (size == 0) return;
  RequestHead head;
  if (parse_request_head(bytes.substr(0, size), {}, head)) return;
  require(!head.method.empty() && head.target.find_first_of(" \r\n") == std::string_view::npos);
  int lengths = 0;
  bool is_coded = false;
  for (const auto& header : head.headers) {
    require(header.name.find_first_of(" \t\r\n:") == std::string_view::npos);
    require(header.value.find_first_of("\r\n") == std::string_view::npos);
    require(header.value.find('\0') == std::string_view::npos);
    lengths += header.id == Name::kContentLength;
    is_coded |= header.id == Name::kTransferEncoding;
  }
  require(lengths <= 1 && !(lengths == 1 && is_coded));
  std::string path;
  if (normalise_path(head.path, path)) {
    require(path.starts_with('/') && path.find("/../") == std::string::npos);
  }
}

/// The body that comes out, or nothing where it is refused or incomplete.
std::string decode(std::string_view bytes, std::size_t piece) {
  ChunkedDecoder decoder;
  std::string body;
  while (!bytes.empty() && decoder.state() == ChunkedDecoder::State::kMore) {
    const auto step = decoder.feed(bytes.substr(0, piece));
    require(step.consumed > 0 || decoder.state() != ChunkedDecoder::State::kMore);
    body += step.data;
    bytes.remove_prefix(step.consumed);
  }
  return decoder.state() == ChunkedDecoder::State::kDone ? "done " + body : std::string();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try_request(bytes);
  require(decode(bytes, bytes.size()) == decode(bytes, 1));
  ResponseHead response;
  HeadScanner scanner;
  if (const auto end = scanner.scan(bytes); end != 0) {
    parse_response_head(bytes.substr(0, end), {}, "GET", response);
  }
  return 0;
}
