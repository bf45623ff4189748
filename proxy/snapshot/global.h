#pragma once
// Settings of the whole proxy. Defaults are those of ingress-nginx unless a line says why not.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/duration.h"
#include "proxy/snapshot/archive.h"
#include "proxy/snapshot/policy/trace.h"

namespace penstock::snapshot {

/// A port that serves HTTP. Both address families are served where `address` is empty.
struct HttpListener {
  std::string address;
  std::uint16_t port = 0;
  bool is_tls = false;

  template <class Archive>
  void describe(Archive& archive) {
    archive("address", address)("port", port)("is_tls", is_tls);
  }
  bool operator==(const HttpListener&) const = default;
};

/// What is accepted from clients, and for how long.
struct ClientLimits {
  base::Duration header_timeout{60'000};  // for the whole request head; 408
  base::Duration body_timeout{60'000};    // between two reads of a body; 408
  base::Duration keep_alive{75'000};      // idle between requests; 0 = no keepalive
  std::uint32_t keep_alive_requests = 1000;
  base::ByteSize header_buffer_size{1 << 10};
  base::ByteSize large_header_buffer_size{8 << 10};  // longest single line; 414 or 431 beyond
  std::uint32_t large_header_buffers = 4;  // head is at most this many large buffers; 431 beyond
  bool keeps_underscore_headers = false;

  template <class Archive>
  void describe(Archive& archive) {
    archive("header_timeout", header_timeout)("body_timeout", body_timeout)(
        "keep_alive", keep_alive)("keep_alive_requests", keep_alive_requests)(
        "header_buffer_size", header_buffer_size)("large_header_buffer_size",
                                                  large_header_buffer_size)(
        "large_header_buffers", large_header_buffers)("keeps_underscore_headers",
                                                      keeps_underscore_headers);
  }
  bool operator==(const ClientLimits&) const = default;
};

/// Idle connections kept to endpoints, per worker (nginx upstream keepalive*).
struct UpstreamKeepalive {
  std::uint32_t connections = 320;  // of all endpoints together; 0 = close after each request
  std::uint32_t requests = 10'000;
  base::Duration idle_timeout{60'000};
  base::Duration max_age{3'600'000};

  template <class Archive>
  void describe(Archive& archive) {
    archive("connections", connections)("requests", requests)("idle_timeout", idle_timeout)(
        "max_age", max_age);
  }
  bool operator==(const UpstreamKeepalive&) const = default;
};

enum class LogEscape : std::uint8_t { kDefault, kJson, kNone };
template <>
struct EnumNames<LogEscape> {
  static constexpr std::array<std::string_view, 3> names = {"default", "json", "none"};
};

struct AccessLog {
  bool http_is_enabled = true;
  bool stream_is_enabled = true;
  bool logs_default_backend = false;
  std::string path;  // empty = standard output
  std::string http_format =
      R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id)";
  std::string stream_format =
      "[$remote_addr] [$time_local] $protocol $status $bytes_sent $bytes_received $session_time";
  LogEscape escape = LogEscape::kDefault;

  template <class Archive>
  void describe(Archive& archive) {
    archive("http_is_enabled", http_is_enabled)("stream_is_enabled", stream_is_enabled)(
        "logs_default_backend", logs_default_backend)("path", path)("http_format", http_format)(
        "stream_format", stream_format)("escape", escape);
  }
  bool operator==(const AccessLog&) const = default;
};

/// A syslog server for access log lines, by RFC 3164 over UDP, in place of the file.
struct Syslog {
  bool is_enabled = false;
  std::string host;  // an address or a name
  std::uint16_t port = 514;

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_enabled", is_enabled)("host", host)("port", port);
  }
  bool operator==(const Syslog&) const = default;
};

/// Whom to believe about the client's address, scheme and host.
struct ForwardedHeaders {
  bool is_trusted = false;                    // use-forwarded-headers
  bool appends = false;                       // compute-full-forwarded-for
  bool uses_proxy_protocol = false;           // PROXY v1/v2 is mandatory on the HTTP listeners
  std::vector<base::IpNet> trusted_networks;  // proxy-real-ip-cidr; empty = everybody

  template <class Archive>
  void describe(Archive& archive) {
    archive("is_trusted", is_trusted)("appends", appends)(
        "uses_proxy_protocol", uses_proxy_protocol)("trusted_networks", trusted_networks);
  }
  bool operator==(const ForwardedHeaders&) const = default;
};

/// TLS towards clients.
struct TlsSettings {
  bool allows_tls12 = true;
  bool allows_tls13 = true;
  std::string ciphers =
      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
      "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
      "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256";
  base::Duration session_timeout{600'000};
  bool has_hsts = true;
  std::uint64_t hsts_max_age_seconds = 31'536'000;
  bool hsts_includes_subdomains = true;
  bool hsts_preload = false;

  template <class Archive>
  void describe(Archive& archive) {
    archive("allows_tls12", allows_tls12)("allows_tls13", allows_tls13)("ciphers", ciphers)(
        "session_timeout", session_timeout)("has_hsts", has_hsts)("hsts_max_age_seconds",
                                                                  hsts_max_age_seconds)(
        "hsts_includes_subdomains", hsts_includes_subdomains)("hsts_preload", hsts_preload);
  }
  bool operator==(const TlsSettings&) const = default;
};

/// Which controller speaks: the constant labels of metrics. Empty where there is no cluster.
struct Instance {
  std::string controller_class;
  std::string name_space;
  std::string pod;

  template <class Archive>
  void describe(Archive& archive) {
    archive("controller_class", controller_class)("namespace", name_space)("pod", pod);
  }
  bool operator==(const Instance&) const = default;
};

struct Global {
  Instance instance;
  std::vector<HttpListener> listeners;
  std::uint32_t workers = 0;  // read at start; 0 = one per processor
  base::Duration shutdown_timeout{240'000};
  ClientLimits client;
  UpstreamKeepalive keepalive;
  AccessLog access_log;
  Syslog syslog;
  ForwardedHeaders forwarded;
  TlsSettings tls;
  TraceSettings traces;

  template <class Archive>
  void describe(Archive& archive) {
    archive("instance", instance)("listeners", listeners)("workers", workers)(
        "shutdown_timeout", shutdown_timeout)("client", client)("keepalive", keepalive)(
        "access_log", access_log)("syslog", syslog)("forwarded", forwarded)("tls", tls)("traces",
                                                                                        traces);
  }
  bool operator==(const Global&) const = default;
};

}  // namespace penstock::snapshot
