#include "proxy/session/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "proxy/base/log.h"

namespace penstock::session {
namespace {

using telemetry::ErrorReason;

std::string endpoint_text(const base::TcpEndpoint& endpoint) {
  return base::format_endpoint(endpoint.address(), endpoint.port());
}

/// Of an answer that is our own.
std::optional<ErrorReason> local_reason(const filters::Exchange& exchange, bool is_parsed) {
  const auto* route = exchange.route;
  switch (exchange.status) {
    case 403:
      return ErrorReason::kDenied;
    case 404:
      return is_parsed && route == nullptr ? ErrorReason::kNoRoute : std::optional<ErrorReason>();
    case 408:
      return ErrorReason::kClientTimeout;
    case 413:
      return ErrorReason::kTooLarge;
    case 429:
      return ErrorReason::kLimit;
    case 502:
      return ErrorReason::kUpstreamFailed;
    case 503:
      return route != nullptr && !route->denied_why.empty() ? ErrorReason::kBroken
                                                            : ErrorReason::kNoEndpoint;
    case 504:
      return ErrorReason::kUpstreamTimeout;
    default:
      if (exchange.status < 400) return std::nullopt;
      return ErrorReason::kMalformed;
  }
}

std::optional<ErrorReason> reason_of(const filters::Exchange& exchange, bool is_parsed) {
  if (exchange.is_local) return local_reason(exchange, is_parsed);
  if (exchange.status >= 500) return ErrorReason::kUpstreamStatus;
  return exchange.tries.size() > 1 ? ErrorReason::kRetried : std::optional<ErrorReason>();
}

/// What nobody has to look at has none.
std::optional<ErrorReason> reason_of(base::EndReason why) {
  using enum base::EndReason;
  switch (why) {
    case kNoRule:
      return ErrorReason::kNoRoute;
    case kNoEndpoint:
      return ErrorReason::kNoEndpoint;
    case kDenied:
      return ErrorReason::kDenied;
    case kLimit:
    case kEvicted:
      return ErrorReason::kLimit;
    case kBadProxyHeader:
      return ErrorReason::kMalformed;
    case kTlsFailure:
      return ErrorReason::kTlsHandshake;
    case kConnectTimeout:
      return ErrorReason::kUpstreamTimeout;
    case kOutOfResources:
    case kInternal:
      return ErrorReason::kInternal;
    case kClientReset:
    case kClientLost:
      return std::nullopt;
    default:
      return base::is_failure(why) ? ErrorReason::kUpstreamFailed : std::optional<ErrorReason>();
  }
}

std::string tries_text(std::span<const telemetry::UpstreamTry> tries) {
  std::string out;
  for (const auto& each : tries) {
    fmt::format_to(std::back_inserter(out), "{}{} status={} connect_ms={} header_ms={} total_ms={}",
                   out.empty() ? "" : ", ", endpoint_text(each.address), each.status,
                   each.connect.count(), each.header.count(), each.total.count());
  }
  return out.empty() ? "none" : out;
}

}  // namespace

void note_exchange(telemetry::RecentErrors& errors, const filters::Exchange& exchange,
                   bool is_parsed, base::WallTime now) {
  const auto reason = reason_of(exchange, is_parsed);
  if (!reason) return;
  auto& entry = errors.note(*reason, now);
  entry.status = exchange.status;
  if (is_parsed) entry.what.append(exchange.host).append(exchange.path);
  entry.client = base::unmapped(exchange.client_address).to_string();
  if (exchange.tries.empty()) return;
  // Of a retry, the endpoint that failed is what matters.
  const auto& culprit =
      *reason == ErrorReason::kRetried ? exchange.tries.front() : exchange.tries.back();
  entry.endpoint = endpoint_text(culprit.address);
}

void note_stream(telemetry::RecentErrors& errors, std::string_view name, base::EndReason why,
                 const base::Address& client, std::span<const telemetry::UpstreamTry> tries,
                 base::WallTime now) {
  const auto reason = reason_of(why);
  if (!reason) return;
  auto& entry = errors.note(*reason, now);
  entry.status = base::status_of(why);
  entry.what.append(name).append(" ").append(base::word_of(why));
  entry.client = client.to_string();
  if (!tries.empty()) entry.endpoint = endpoint_text(tries.back().address);
}

bool LogRules::has_room(base::SteadyTime now) {
  if (now - second_ >= std::chrono::seconds(1)) {
    if (dropped_ != 0) base::log::info("detail: {} lines were left out", dropped_);
    second_ = now;
    lines_ = 0;
    dropped_ = 0;
  }
  if (++lines_ <= kMostLines) return true;
  ++dropped_;
  return false;
}

bool LogRules::wants(std::string_view host, const telemetry::Client& client, std::uint16_t status,
                     base::SteadyTime now) {
  std::erase_if(rules_, [&](const LogRule& rule) { return rule.until <= now; });
  const auto matches = [&](const LogRule& rule) {
    if (status < rule.from_status) return false;
    if (!rule.host.empty()) return rule.host == host;
    if (rule.port != 0) return rule.port == client.server_port;
    return std::ranges::any_of(
        rule.clients, [&](const base::IpNet& net) { return net.contains(client.address); });
  };
  return std::ranges::any_of(rules_, matches) && has_room(now);
}

void LogRules::apply(const telemetry::HttpRecord& record, base::SteadyTime now) {
  if (!wants(record.host, record.client, record.status, now)) return;
  base::log::info(
      "detail: client={} peer={} connection={} request={} host={} method={} path={} status={} "
      "bytes_sent={} request_length={} time_ms={} id={} ingress={}/{} service={} tries: {}",
      record.client.address.to_string(), endpoint_text(record.client.peer), record.client.number,
      record.requests, record.host, record.method, record.path, record.status, record.bytes_sent,
      record.request_length, record.time.count(), record.request_id, record.name_space,
      record.ingress, record.service, tries_text(record.tries));
}

void LogRules::apply(const telemetry::StreamRecord& record, base::SteadyTime now) {
  const auto status = base::status_of(record.reason);
  if (!wants({}, record.client, status, now)) return;
  base::log::info(
      "detail: client={} peer={} connection={} protocol={} port={} stream={} status={} reason={} "
      "bytes_sent={} bytes_received={} time_ms={} tries: {}",
      record.client.address.to_string(), endpoint_text(record.client.peer), record.client.number,
      record.protocol, record.client.server_port, record.name, status, base::word_of(record.reason),
      record.bytes_sent, record.bytes_received, record.time.count(), tries_text(record.tries));
}

}  // namespace penstock::session
