#pragma once
// What a log line and the metrics say of one finished exchange or stream. Plain values and views
// into what the session still holds; it lives for one call.
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/duration.h"
#include "proxy/base/end_reason.h"

namespace penstock::telemetry {

struct RequestTrace;

/// One attempt on one endpoint. Times are negative where that point was not reached.
struct UpstreamTry {
  base::TcpEndpoint address;
  std::uint16_t status = 0;  // 0: no answer
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  base::Duration connect{-1};
  base::Duration header{-1};
  base::Duration total{-1};
  std::optional<base::EndReason> failure;
};

/// How `$http_<name>` finds a request header; names in lower case with '-'.
struct HeaderLookup {
  const void* headers = nullptr;
  std::string_view (*find)(const void* headers, std::string_view name) = nullptr;

  std::string_view operator()(std::string_view name) const {
    return find == nullptr ? std::string_view() : find(headers, name);
  }
};

/// What only some formats ask for, and asking costs a system call or more.
class Connection {
 public:
  virtual base::Address server_address() const = 0;
  virtual std::string_view tls_protocol() const = 0;  // empty where there is no TLS
  virtual std::string_view tls_cipher() const = 0;

 protected:
  ~Connection() = default;
};

struct Client {
  const Connection* connection = nullptr;
  base::TcpEndpoint peer;         // who connected
  base::Address address;          // whom the request speaks for
  std::string_view address_text;  // the same
  bool has_proxy_header = false;
  std::uint16_t server_port = 0;
  std::uint64_t number = 0;  // serial number of the connection
};

struct HttpRecord {
  Client client;
  std::uint32_t requests = 0;  // on this connection, this one included
  std::string_view method;
  std::string_view target;
  std::string_view path;
  std::string_view query;
  std::string_view host;
  std::string_view scheme = "http";
  std::uint8_t minor_version = 1;
  HeaderLookup header;
  std::string_view request_id;
  std::uint16_t status = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t body_bytes_sent = 0;
  std::uint64_t request_length = 0;
  base::Duration time{0};
  base::WallTime now;
  std::span<const UpstreamTry> tries;
  // Of the route; empty where none was found.
  std::string_view name_space;
  std::string_view ingress;
  std::string_view service;
  std::string_view service_port;
  std::string_view route_path;
  std::string_view host_name;           // of the host that took the request: "*.example.com"
  const RequestTrace* trace = nullptr;  // null: it has none
};

struct StreamRecord {
  Client client;
  std::string_view name;  // $proxy_upstream_name
  std::string_view protocol = "TCP";
  base::EndReason reason = base::EndReason::kClientClosed;
  std::uint64_t bytes_sent = 0;      // to the client
  std::uint64_t bytes_received = 0;  // from the client
  base::Duration time{0};
  base::WallTime now;
  std::span<const UpstreamTry> tries;
};

}  // namespace penstock::telemetry
