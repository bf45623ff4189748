#pragma once
// One request and its reply, as data: what filters see and change. It lives from the parsed head to
// the log line, belongs to one session on one worker, and is reused for the next request of its
// connection.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/http/message.h"

namespace penstock::filters {

/// A header that Penstock itself sets on a response; replaces the upstream's of the same name.
struct AddedHeader {
  std::string_view name;  // of a static or route-owned string
  std::string_view value;
};

/// An answer made here instead of by an upstream. `status` 0 means none.
struct LocalAnswer {
  std::uint16_t status = 0;
  std::string location;  // for redirects
};

struct Exchange {
  const http::RequestHead* request = nullptr;
  base::Address client_address;  // after PROXY protocol and trusted forwarded headers
  std::string host;              // lower case, no port, no trailing dot: what routed the request
  std::string path;              // normalised: what routed the request
  bool is_tls = false;           // of the client's connection
  std::string_view scheme = "http";  // effective: a trusted X-Forwarded-Proto counts
  std::string_view forwarded_host;   // a trusted X-Forwarded-Host, or empty
  std::vector<AddedHeader> response_headers;
  LocalAnswer answer;
};

}  // namespace penstock::filters
