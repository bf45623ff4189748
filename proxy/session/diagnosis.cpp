#include "proxy/session/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "proxy/base/log.h"

namespace penstock::session {
namespace {

using base::EndReason;

std::string endpoint_text(const base::TcpEndpoint& endpoint) {
  return base::format_endpoint(endpoint.address(), endpoint.port());
}

/// The try that has failed last: of a request that another endpoint took, the one before.
const telemetry::UpstreamTry* culprit_of(const filters::Exchange& exchange) {
  const auto found =
      std::ranges::find_if(exchange.tries.rbegin(), exchange.tries.rend(),
                           [](const auto& each) { return each.failure.has_value(); });
  return found == exchange.tries.rend() ? nullptr : &*found;
}

/// Of the last endpoint that was asked.
EndReason last_failure(const filters::Exchange& exchange, EndReason otherwise) {
  return exchange.tries.empty() ? otherwise : exchange.tries.back().failure.value_or(otherwise);
}

/// Of an answer that is our own.
std::optional<EndReason> local_reason(const filters::Exchange& exchange, bool is_parsed) {
  const auto* route = exchange.route;
  if (exchange.status < 400) return std::nullopt;
  switch (exchange.status) {
    case 403:
      return EndReason::kDenied;
    case 404: {
      // What no Ingress takes may have a route of its own: the one that answers so.
      const bool has_rule = route != nullptr && !route->ingress.empty();
      return is_parsed && !has_rule ? EndReason::kNoRule : EndReason::kBadRequest;
    }
    case 408:
      return EndReason::kClientIdleTimeout;
    case 429:
      return EndReason::kLimit;
    case 503: {
      const bool is_closed = route != nullptr && !route->denied_why.empty();
      return is_closed ? EndReason::kDenied : last_failure(exchange, EndReason::kNoEndpoint);
    }
    default:
      return exchange.status < 500 ? EndReason::kBadRequest
                                   : last_failure(exchange, EndReason::kInternal);
  }
}

std::optional<EndReason> reason_of(const filters::Exchange& exchange, bool is_parsed) {
  if (exchange.is_local) return local_reason(exchange, is_parsed);
  if (exchange.status >= 500) return last_failure(exchange, EndReason::kBadStatus);
  return culprit_of(exchange) == nullptr ? std::nullopt : culprit_of(exchange)->failure;
}

std::string tries_text(std::span<const telemetry::UpstreamTry> tries) {
  std::string out;
  for (const auto& each : tries) {
    fmt::format_to(std::back_inserter(out),
                   "{}{} status={} reason={} connect_ms={} header_ms={} total_ms={}",
                   out.empty() ? "" : ", ", endpoint_text(each.address), each.status,
                   each.failure ? base::word_of(*each.failure) : "-", each.connect.count(),
                   each.header.count(), each.total.count());
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
  const auto* culprit = culprit_of(exchange);
  entry.endpoint =
      endpoint_text(culprit == nullptr ? exchange.tries.back().address : culprit->address);
}

void note_connection(telemetry::RecentErrors& errors, base::EndReason reason,
                     const base::Address& client, base::WallTime now) {
  errors.note(reason, now).client = base::unmapped(client).to_string();
}

bool LogRules::has_room(base::SteadyTime now) {
  const auto left_out = rate_.admit(now);
  if (left_out.value_or(0) != 0) base::log::info("detail: {} lines were left out", *left_out);
  return left_out.has_value();
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
  constexpr std::uint16_t kFailure = 400;  // a session that failed has 200 where bytes were carried
  const auto level = base::is_failure(record.reason) ? std::max(status, kFailure) : status;
  if (!wants({}, record.client, level, now)) return;
  base::log::info(
      "detail: client={} peer={} connection={} protocol={} port={} stream={} status={} "
      "reason={} bytes_sent={} bytes_received={} time_ms={} tries: {}",
      record.client.address.to_string(), endpoint_text(record.client.peer), record.client.number,
      record.protocol, record.client.server_port, record.name, status, base::word_of(record.reason),
      record.bytes_sent, record.bytes_received, record.time.count(), tries_text(record.tries));
}

}  // namespace penstock::session
