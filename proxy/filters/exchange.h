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
#include "proxy/telemetry/trace.h"

namespace penstock::filters {

/// A header that Penstock itself sets on a response; replaces the upstream's of the same name.
struct AddedHeader {
  std::string_view name;
  std::string value;
};

/// Texts of the global settings, made once when they change.
struct GlobalTexts {
  std::string hsts;  // empty: no such header
};

struct Exchange {
  const http::RequestHead* request = nullptr;
  const snapshot::Global* global = nullptr;
  const GlobalTexts* texts = nullptr;
  base::Address client_address;  // after PROXY protocol and trusted forwarded headers
  std::string host;              // lower case, no port, no trailing dot: what routed the request
  std::string_view path;         // normalised: what routed the request
  std::string path_storage;      // of `path`, where it is not the request's own
  bool is_tls = false;           // of the client's connection
  std::string_view scheme = "http";  // effective: a trusted X-Forwarded-Proto counts
  bool has_endpoints = false;        // of the route's upstream
  std::vector<AddedHeader> response_headers;

  // What the log line and the metrics say of it.
  const snapshot::Route* route = nullptr;        // null: none was found
  const snapshot::PartPtr* host_part = nullptr;  // of the route
  std::string request_id;
  std::uint16_t status = 0;
  bool is_local = false;        // the answer is our own
  bool has_failed = false;      // an endpoint has, whatever the client got in the end
  std::uint64_t head_sent = 0;  // bytes of the response head
  std::vector<telemetry::UpstreamTry> tries;
  telemetry::RequestTrace* trace = nullptr;  // null: the route has none

  /// As new, but for the memory that it has.
  void reset();
};

inline void Exchange::reset() {
  Exchange fresh;
  fresh.host.swap(host);
  fresh.path_storage.swap(path_storage);
  fresh.request_id.swap(request_id);
  fresh.response_headers.swap(response_headers);
  fresh.tries.swap(tries);
  fresh.host.clear();
  fresh.request_id.clear();
  fresh.response_headers.clear();
  fresh.tries.clear();
  *this = std::move(fresh);
}

}  // namespace penstock::filters
