#pragma once
// One request and its reply, as data: what filters see and change. It lives from the parsed head to
// the log line, belongs to one session on one worker, and is reused for the next request of its
// connection.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/http/message.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/telemetry/record.h"

namespace penstock::filters {

/// A header that Penstock itself sets on a response; replaces the upstream's of the same name.
struct AddedHeader {
  std::string_view name;
  std::string value;
};

struct Exchange {
  const http::RequestHead* request = nullptr;
  const snapshot::Global* global = nullptr;
  base::Address client_address;  // after PROXY protocol and trusted forwarded headers
  std::string host;              // lower case, no port, no trailing dot: what routed the request
  std::string path;              // normalised: what routed the request
  bool is_tls = false;           // of the client's connection
  std::string_view scheme = "http";  // effective: a trusted X-Forwarded-Proto counts
  bool has_endpoints = false;        // of the route's upstream
  std::vector<AddedHeader> response_headers;

  // What the log line and the metrics say of it.
  const snapshot::Route* route = nullptr;        // null: none was found
  const snapshot::PartPtr* host_part = nullptr;  // of the route
  std::string request_id;
  std::uint16_t status = 0;
  std::uint64_t head_sent = 0;  // bytes of the response head
  std::vector<telemetry::UpstreamTry> tries;
};

}  // namespace penstock::filters
