#include "controller/settings/global.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "controller/settings/balancing_kind.h"
#include "controller/settings/kinds.h"
#include "controller/settings/trace_kinds.h"
#include "controller/settings/unserved.h"
#include "proxy/base/text.h"

namespace penstock::settings {
namespace {

using snapshot::AccessLog;
using snapshot::ClientLimits;
using snapshot::ForwardedHeaders;
using snapshot::Global;
using snapshot::HttpsRedirect;
using snapshot::IpAccess;
using snapshot::NextUpstream;
using snapshot::ProxyTimeouts;
using snapshot::RequestBody;
using snapshot::RoutePolicy;
using snapshot::Syslog;
using snapshot::TlsSettings;
using snapshot::Trace;
using snapshot::TraceSettings;
using snapshot::UpstreamKeepalive;
using G = GlobalSettings;

template <class Kind, auto... Path>
constexpr Setting<G> global(std::string_view name, std::string_view doc) {
  return setting<Kind, &G::proxy, Path...>(name, Scope::kGlobal, doc);
}
template <class Kind, auto... Path>
constexpr Setting<G> route(std::string_view name, std::string_view doc,
                           OnBad on_bad = OnBad::kKeepDefault) {
  return setting<Kind, &G::ingress, &IngressPolicy::route, Path...>(name, Scope::kRoute, doc,
                                                                    on_bad);
}
template <class Kind, auto Member>
constexpr Setting<G> rule(std::string_view name, std::string_view doc,
                          OnBad on_bad = OnBad::kKeepDefault) {
  return setting<Kind, &G::rules, Member>(name, Scope::kIngress, doc, on_bad);
}
template <class Kind, auto Member>
constexpr Setting<G> stream(std::string_view name, std::string_view doc) {
  return setting<Kind, &G::stream, Member>(name, Scope::kGlobal, doc);
}

base::Result<void> apply_header_buffers(std::string_view text, G& target) {
  const auto value = HeaderBuffers::parse(text);
  if (!value) return std::unexpected(value.error());
  target.proxy.client.large_header_buffers = value->number;
  target.proxy.client.large_header_buffer_size = value->size;
  return {};
}
std::string print_header_buffers(const G& target) {
  return fmt::format("{} {}", target.proxy.client.large_header_buffers,
                     Size::print(target.proxy.client.large_header_buffer_size));
}

base::Result<void> apply_next_upstream(std::string_view text, G& target) {
  return parse_next_upstream(text, target.ingress.route.next_upstream);
}
std::string print_next_upstream_of(const G& target) {
  return print_next_upstream(target.ingress.route.next_upstream);
}

base::Result<void> apply_disable_access_log(std::string_view text, G& target) {
  const auto value = NotBoolean::parse(text);
  if (!value) return std::unexpected(value.error());
  target.proxy.access_log.http_is_enabled = *value;
  target.proxy.access_log.stream_is_enabled = *value;
  return {};
}
std::string print_disable_access_log(const G& target) {
  const auto& log = target.proxy.access_log;
  return Boolean::print(!log.http_is_enabled && !log.stream_is_enabled);
}

base::Result<void> apply_protocols(std::string_view text, G& target) {
  bool has_12 = false;
  bool has_13 = false;
  for (const auto word : base::split(text, ' ')) {
    if (word.empty()) continue;
    if (word != "TLSv1.2" && word != "TLSv1.3") return base::fail("unknown protocol");
    (word == "TLSv1.2" ? has_12 : has_13) = true;
  }
  if (!has_12 && !has_13) return base::fail("none");
  target.proxy.tls.allows_tls12 = has_12;
  target.proxy.tls.allows_tls13 = has_13;
  return {};
}
std::string print_protocols(const G& target) {
  const auto& tls = target.proxy.tls;
  if (!tls.allows_tls13) return "TLSv1.2";
  return tls.allows_tls12 ? "TLSv1.2 TLSv1.3" : "TLSv1.3";
}

template <snapshot::LogEscape Escape>
base::Result<void> apply_escape(std::string_view text, G& target) {
  const auto value = Boolean::parse(text);
  if (!value) return std::unexpected(value.error());
  auto& escape = target.proxy.access_log.escape;
  // Keys are applied in the order of their names, so that "none" comes after "json" and wins.
  if (*value) escape = Escape;
  return {};
}
template <snapshot::LogEscape Escape>
std::string print_escape(const G& target) {
  return Boolean::print(target.proxy.access_log.escape == Escape);
}

constexpr std::string_view kTrustKey = "proxy-real-ip-cidr";
constexpr std::string_view kRiskKey = "annotations-risk-level";
constexpr std::string_view kSnippetKey = "allow-snippet-annotations";
constexpr std::string_view kCollectorPortKey = "otlp-collector-port";
constexpr std::uint16_t kGrpcPort = 4317;

constexpr Setting<G> kTable[] = {
    {"access-log-path", Scope::kGlobal, "an absolute path, or nothing for standard output",
     [](std::string_view text, G& target) -> base::Result<void> {
       const auto line = Line::parse(text);
       if (!line || (!line->empty() && line->front() != '/')) return base::fail("not absolute");
       target.proxy.access_log.path = *line;
       return {};
     },
     [](const G& target) { return target.proxy.access_log.path; },
     "File for access log lines; SIGUSR1 to the proxy opens it anew. Empty: standard output."},
    rule<Boolean, &IngressRules::allows_snippets>(
        kSnippetKey,
        "false: the admission webhook refuses annotations that end in -snippet. true: their risk "
        "decides, which is Critical. Nobody runs a snippet in either case."),
    rule<WordList, &IngressRules::blocked_words>(
        "annotation-value-word-blocklist",
        "An Ingress with one of these words in the value of an annotation is refused by the "
        "admission webhook; one that is stored already answers 503.",
        OnBad::kDeny),
    rule<RiskLevel, &IngressRules::highest_risk>(
        kRiskKey,
        "An Ingress with an annotation of a higher risk than this is refused by the admission "
        "webhook; one that is stored already answers 503. A value that cannot be read counts as "
        "Low."),
    route<BufferSize, &RoutePolicy::body, &RequestBody::buffer_size>(
        "client-body-buffer-size", "Part of a request body that is held in memory."),
    global<PositiveSeconds, &Global::client, &ClientLimits::body_timeout>(
        "client-body-timeout", "Longest wait between two reads of a request body; 408 after it."),
    global<BufferSize, &Global::client, &ClientLimits::header_buffer_size>(
        "client-header-buffer-size", "First buffer for a request head."),
    global<PositiveSeconds, &Global::client, &ClientLimits::header_timeout>(
        "client-header-timeout", "Longest time for a whole request head; 408 after it."),
    global<Boolean, &Global::forwarded, &ForwardedHeaders::appends>(
        "compute-full-forwarded-for",
        "With use-forwarded-headers: append to X-Forwarded-For instead of replacing it."),
    route<OptionalNetworks, &RoutePolicy::ip_access, &IpAccess::denied>(
        "denylist-source-range", "Clients that are answered 403 where no annotation says else.",
        OnBad::kDeny),
    {"disable-access-log", Scope::kGlobal, Boolean::kExpected, apply_disable_access_log,
     print_disable_access_log, "No access log lines, neither for HTTP nor for streams."},
    global<NotBoolean, &Global::access_log, &AccessLog::http_is_enabled>(
        "disable-http-access-log", "No access log lines for HTTP."),
    global<NotBoolean, &Global::access_log, &AccessLog::stream_is_enabled>(
        "disable-stream-access-log", "No access log lines for streams."),
    global<Boolean, &Global::access_log, &AccessLog::logs_default_backend>(
        "enable-access-log-for-default-backend", "Log requests that no Ingress matches, too."),
    route<Boolean, &RoutePolicy::trace, &Trace::is_enabled>(
        "enable-opentelemetry", "Requests have spans; needs otlp-collector-host."),
    global<Boolean, &Global::syslog, &Syslog::is_enabled>(
        "enable-syslog",
        "Access log lines go to syslog-host by RFC 3164 over UDP, not to access-log-path."),
    global<Boolean, &Global::client, &ClientLimits::keeps_underscore_headers>(
        "enable-underscores-in-headers", "Pass headers with '_' in their name; else dropped."),
    setting<Boolean, &G::ingress, &IngressPolicy::redirects_always>(
        "force-ssl-redirect", Scope::kRoute,
        "Redirect plain HTTP to HTTPS even where the host has no certificate."),
    global<Boolean, &Global::tls, &TlsSettings::has_hsts>(
        "hsts", "Send Strict-Transport-Security on HTTPS answers."),
    global<Boolean, &Global::tls, &TlsSettings::hsts_includes_subdomains>(
        "hsts-include-subdomains", "Add includeSubDomains to it."),
    global<HeaderSeconds, &Global::tls, &TlsSettings::hsts_max_age_seconds>("hsts-max-age",
                                                                            "Its max-age."),
    global<Boolean, &Global::tls, &TlsSettings::hsts_preload>("hsts-preload", "Add preload to it."),
    route<RedirectCode, &RoutePolicy::https_redirect, &HttpsRedirect::status>(
        "http-redirect-code", "Status of the redirect to HTTPS."),
    global<Seconds, &Global::client, &ClientLimits::keep_alive>(
        "keep-alive", "Idle time of a client's connection; 0 closes after each answer."),
    global<Count, &Global::client, &ClientLimits::keep_alive_requests>(
        "keep-alive-requests", "Requests that one client connection may carry."),
    {"large-client-header-buffers", Scope::kGlobal, HeaderBuffers::kExpected, apply_header_buffers,
     print_header_buffers,
     "Number and size of buffers for long heads: the size bounds one line, both the head."},
    setting<LoadBalance, &G::ingress, &IngressPolicy::balancing, &snapshot::Balancing::algorithm>(
        "load-balance", Scope::kUpstream, "How one of a Service's endpoints is chosen."),
    {"log-format-escape-json", Scope::kGlobal, Boolean::kExpected,
     apply_escape<snapshot::LogEscape::kJson>, print_escape<snapshot::LogEscape::kJson>,
     "Escape variables of log lines for JSON strings."},
    {"log-format-escape-none", Scope::kGlobal, Boolean::kExpected,
     apply_escape<snapshot::LogEscape::kNone>, print_escape<snapshot::LogEscape::kNone>,
     "Do not escape variables of log lines; wins over log-format-escape-json. Control bytes are "
     "escaped all the same, so that one record stays one line."},
    global<Line, &Global::access_log, &AccessLog::stream_format>(
        "log-format-stream", "Line per TCP or UDP session, in nginx's variables."),
    global<Line, &Global::access_log, &AccessLog::http_format>(
        "log-format-upstream", "Line per HTTP request, in nginx's variables."),
    setting<TextList, &G::no_redirect_prefixes>(
        "no-tls-redirect-locations", Scope::kGlobal,
        "Ingress paths that begin with one of these are never redirected to HTTPS."),
    global<Line, &Global::traces, &TraceSettings::operation>(
        "opentelemetry-operation-name",
        "Name of a request's span, with the variables of log lines. Empty: method and path of the "
        "route."),
    route<Boolean, &RoutePolicy::trace, &Trace::trusts_incoming>(
        "opentelemetry-trust-incoming-span",
        "A client's traceparent is continued; false: each request begins a trace."),
    global<SpanCount, &Global::traces, &TraceSettings::max_batch>(
        "otel-max-export-batch-size", "Spans of one message to the collector."),
    global<SpanCount, &Global::traces, &TraceSettings::max_queue>(
        "otel-max-queuesize", "Spans that may wait for the collector; more are dropped."),
    global<TraceSampler, &Global::traces, &TraceSettings::sampler>("otel-sampler",
                                                                   "Which traces are kept."),
    global<Boolean, &Global::traces, &TraceSettings::follows_parent>(
        "otel-sampler-parent-based", "A trusted traceparent decides before otel-sampler does."),
    global<Ratio, &Global::traces, &TraceSettings::ratio_per_million>(
        "otel-sampler-ratio", "Share of traces that TraceIdRatioBased keeps."),
    global<Milliseconds, &Global::traces, &TraceSettings::delay>(
        "otel-schedule-delay-millis", "Longest wait of a span for others to be sent with."),
    global<Line, &Global::traces, &TraceSettings::service_name>("otel-service-name",
                                                                "service.name of spans."),
    global<Server, &Global::traces, &TraceSettings::collector_host>(
        "otlp-collector-host", "Where spans go, by OTLP over HTTP. Empty: there are none."),
    global<PortNumber, &Global::traces, &TraceSettings::collector_port>(
        kCollectorPortKey, "Its port of OTLP over HTTP; the original's 4317 is that of gRPC."),
    route<Size, &RoutePolicy::body, &RequestBody::max_size>(
        "proxy-body-size", "Largest request body; 413 beyond. 0 = no limit."),
    route<PositiveSeconds, &RoutePolicy::timeouts, &ProxyTimeouts::connect>(
        "proxy-connect-timeout", "Longest wait for a connection to an endpoint."),
    {"proxy-next-upstream", Scope::kRoute, kNextUpstreamExpected, apply_next_upstream,
     print_next_upstream_of, "When a failed request is tried again on another endpoint."},
    route<Seconds, &RoutePolicy::next_upstream, &NextUpstream::timeout>(
        "proxy-next-upstream-timeout", "Time for all attempts together. 0 = no limit."),
    route<Count, &RoutePolicy::next_upstream, &NextUpstream::tries>(
        "proxy-next-upstream-tries", "Attempts in total, the first included. 0 = no limit."),
    route<PositiveSeconds, &RoutePolicy::timeouts, &ProxyTimeouts::read>(
        "proxy-read-timeout", "Longest wait between two reads from an endpoint; 504 after it."),
    global<OptionalNetworks, &Global::forwarded, &ForwardedHeaders::trusted_networks>(
        kTrustKey,
        "Peers whose forwarded headers or PROXY header are believed. Empty: every peer."),
    route<OnOff, &RoutePolicy::body, &RequestBody::is_buffered>(
        "proxy-request-buffering",
        "on: read the body before choosing an endpoint, as far as client-body-buffer-size holds."),
    route<PositiveSeconds, &RoutePolicy::timeouts, &ProxyTimeouts::send>(
        "proxy-send-timeout", "Longest wait between two writes to an endpoint."),
    stream<Boolean, &StreamDefaults::retries_next_upstream>(
        "proxy-stream-next-upstream", "Try another endpoint where one cannot be connected to."),
    stream<Time, &StreamDefaults::retry_timeout>("proxy-stream-next-upstream-timeout",
                                                 "Time for all attempts together."),
    stream<Count, &StreamDefaults::tries>("proxy-stream-next-upstream-tries",
                                          "Attempts in total. 0 = no limit."),
    stream<Count, &StreamDefaults::responses>("proxy-stream-responses",
                                              "UDP of udp-services: datagrams that answer one of a "
                                              "client; the session then ends. 0: none "
                                              "is awaited."),
    stream<Time, &StreamDefaults::idle_timeout>("proxy-stream-timeout",
                                                "A session without a byte for so long is closed."),
    {"retry-non-idempotent", Scope::kRoute, Boolean::kExpected,
     [](std::string_view text, G& target) -> base::Result<void> {
       const auto value = Boolean::parse(text);
       if (!value) return std::unexpected(value.error());
       target.ingress.route.next_upstream.may_retry_non_idempotent = *value;
       return {};
     },
     [](const G& target) {
       return Boolean::print(target.ingress.route.next_upstream.may_retry_non_idempotent);
     },
     "Try POST, LOCK and PATCH again as well."},
    global<Line, &Global::tls, &TlsSettings::ciphers>(
        "ssl-ciphers", "Cipher suites for TLS 1.2, in OpenSSL's notation."),
    {"ssl-protocols", Scope::kGlobal, "TLSv1.2, TLSv1.3 or both, separated by a space",
     apply_protocols, print_protocols, "TLS versions that are accepted from clients."},
    setting<Boolean, &G::ingress, &IngressPolicy::redirects_where_tls>(
        "ssl-redirect", Scope::kRoute,
        "Redirect plain HTTP to HTTPS where the Ingress has a tls entry for the host."),
    global<Time, &Global::tls, &TlsSettings::session_timeout>(
        "ssl-session-timeout", "How long a TLS session may be resumed."),
    rule<Boolean, &IngressRules::is_strict_on_paths>(
        "strict-validate-path-type",
        "The admission webhook refuses paths of type Exact or Prefix with anything but letters, "
        "digits and ._-/ in them; false: it warns of them."),
    global<Server, &Global::syslog, &Syslog::host>("syslog-host",
                                                   "Syslog server; with enable-syslog."),
    global<PortNumber, &Global::syslog, &Syslog::port>("syslog-port", "Its UDP port."),
    global<Count, &Global::keepalive, &UpstreamKeepalive::connections>(
        "upstream-keepalive-connections",
        "Idle connections to endpoints that each worker keeps. 0 = none."),
    global<Count, &Global::keepalive, &UpstreamKeepalive::requests>(
        "upstream-keepalive-requests", "Requests that one of them may carry."),
    global<Time, &Global::keepalive, &UpstreamKeepalive::max_age>(
        "upstream-keepalive-time", "Age after which one of them is no longer used."),
    global<Seconds, &Global::keepalive, &UpstreamKeepalive::idle_timeout>(
        "upstream-keepalive-timeout", "Idle time after which one of them is closed."),
    global<Boolean, &Global::forwarded, &ForwardedHeaders::is_trusted>(
        "use-forwarded-headers",
        "Believe X-Forwarded-For, -Proto, -Host and -Port of peers in proxy-real-ip-cidr."),
    global<Boolean, &Global::forwarded, &ForwardedHeaders::uses_proxy_protocol>(
        "use-proxy-protocol", "Every HTTP and HTTPS connection begins with a PROXY header."),
    route<OptionalNetworks, &RoutePolicy::ip_access, &IpAccess::allowed>(
        "whitelist-source-range", "Only these clients, where no annotation says else; 403.",
        OnBad::kDeny),
    global<WorkerCount, &Global::workers>(
        "worker-processes", "Worker threads of the proxy; read at its start. auto = one per CPU."),
    global<Time, &Global::shutdown_timeout>("worker-shutdown-timeout",
                                            "At shutdown, connections may go on for so long."),
};

}  // namespace

Table<GlobalSettings> global_table() { return kTable; }

namespace {

/// What holds across the keys of traces.
void check_traces(GlobalSettings& settings, std::vector<KeyProblem>& problems) {
  const auto& traces = settings.proxy.traces;
  auto& is_enabled = settings.ingress.route.trace.is_enabled;
  settings.ingress.has_trace_collector = !traces.collector_host.empty();
  if (is_enabled && traces.collector_host.empty()) {
    is_enabled = false;
    problems.push_back({"enable-opentelemetry",
                        "enable-opentelemetry: expected a host in otlp-collector-host, got none; "
                        "there are no spans"});
  }
  if (!traces.collector_host.empty() && traces.collector_port == kGrpcPort) {
    problems.push_back({std::string(kCollectorPortKey),
                        fmt::format("{}: {} is where collectors take OTLP over gRPC; spans are "
                                    "sent by OTLP over HTTP, which is taken on 4318",
                                    kCollectorPortKey, kGrpcPort)});
  }
}

/// A key that no row of the table has.
void report_unserved(const std::string& key, std::string_view text,
                     std::vector<KeyProblem>& problems) {
  const auto* known = find_unserved(key);
  if (known == nullptr) {
    problems.push_back({key, fmt::format("{}: this key is unknown and has no effect", key)});
  } else if (!text.empty() && text != known->harmless) {
    problems.push_back({key, fmt::format("{}: this key has no effect: {}", key, known->why)});
  }
}

void report_snippets(const IngressRules& rules, std::vector<KeyProblem>& problems) {
  // With both, which is how to take Ingresses with snippets, nothing is left to be said.
  if (!rules.allows_snippets || rules.highest_risk == Risk::kCritical) return;
  problems.push_back({std::string(kSnippetKey),
                      fmt::format("{}: snippets have no effect, for there is no configuration text "
                                  "to put them into; where {} is Critical, Ingresses with them are "
                                  "taken with a warning",
                                  kSnippetKey, kRiskKey)});
}

}  // namespace

std::vector<KeyProblem> apply_global(const std::map<std::string, std::string>& data,
                                     GlobalSettings& settings) {
  std::vector<KeyProblem> problems;
  bool is_trust_broken = false;
  for (const auto& [key, raw] : data) {
    const auto text = base::trim(raw);
    const auto row = std::ranges::find(kTable, key, &Setting<G>::name);
    if (row == std::end(kTable)) {
      report_unserved(key, text, problems);
      continue;
    }
    if (row->apply(text, settings)) continue;
    problems.push_back({key, bad_value(key, row->expected, text)});
    if (row->on_bad == OnBad::kDeny) settings.ingress.denied_why = problems.back().message;
    is_trust_broken |= key == kTrustKey;
    if (key != kRiskKey) continue;
    settings.rules.highest_risk = Risk::kLow;
    problems.back().message += "; Low is taken";
  }
  auto& syslog = settings.proxy.syslog;
  if (syslog.is_enabled && syslog.host.empty()) {
    syslog.is_enabled = false;
    problems.push_back({"enable-syslog",
                        "enable-syslog: expected a host in syslog-host, got none; lines go to "
                        "access-log-path"});
  }
  check_traces(settings, problems);
  report_snippets(settings.rules, problems);
  // Nobody is believed rather than everybody.
  if (is_trust_broken) settings.proxy.forwarded.is_trusted = false;
  return problems;
}

}  // namespace penstock::settings
