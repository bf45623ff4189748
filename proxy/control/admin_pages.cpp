#include "proxy/control/admin_pages.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "proxy/base/ip_net.h"
#include "proxy/base/openssl.h"
#include "proxy/base/text.h"

namespace penstock::control {
namespace {

using base::JsonWriter;

constexpr std::size_t kMostItems = 1000;
constexpr std::size_t kMostEndpoints = 2000;  // of a page, unless one upstream has more
constexpr std::size_t kMostNames = 100;       // of one certificate
constexpr std::size_t kLongestPort = 64;

std::string time_text(const ASN1_TIME* time) {
  std::tm broken{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return {};
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", broken);
}

std::vector<std::string> dns_names(X509* certificate) {
  std::vector<std::string> out;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names);
  for (int i = 0; i < count && out.size() < kMostNames; ++i) {
    const auto* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = name->d.dNSName;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::string common_name(const X509_NAME* name) {
  char text[256] = {};
  return X509_NAME_get_text_by_NID(const_cast<X509_NAME*>(name), NID_commonName, text,
                                   sizeof text) < 0
             ? std::string()
             : std::string(text);
}

void write_texts(JsonWriter& json, std::string_view name, const auto& texts) {
  json.key(name).begin_array();
  for (const auto& each : texts) json.value(std::string_view(each));
  json.end_array();
}

std::string_view word_of(const std::optional<base::Health>& check) {
  if (!check) return "none";
  return *check == base::Health::kUp ? "up" : *check == base::Health::kDown ? "down" : "unknown";
}

std::set<std::string> upstreams_of(const snapshot::Stream& stream) {
  std::set<std::string> out;
  for (const auto& rule : stream.rules) {
    for (const auto& backend : rule.backends) out.insert(backend.upstream);
  }
  return out;
}

std::set<std::string> upstreams_of(const snapshot::UdpStream& stream) {
  std::set<std::string> out;
  for (const auto& backend : stream.backends) out.insert(backend.upstream);
  return out;
}

base::Result<std::size_t> read_limit(const base::HttpRequest& request, std::size_t usual) {
  const auto limit = request.parameter("limit");
  if (limit.empty()) return usual;
  const auto number = base::parse_integer<std::size_t>(limit);
  if (number && *number >= 1 && *number <= kMostItems) return *number;
  return base::fail(
      fmt::format("limit: expected a number from 1 to {}, got '{}'", kMostItems, limit));
}

}  // namespace

Page page_of_upstreams(const snapshot::Snapshot& snapshot, const PageRequest& request) {
  const auto kind = snapshot::PartKind::kUpstream;
  auto page = page_of(snapshot, kind, kind, request);
  std::size_t endpoints = 0;
  for (std::size_t i = 0; i < page.items.size(); ++i) {
    const auto* of = snapshot.find<snapshot::Endpoints>(snapshot::PartKind::kEndpoints,
                                                        page.items[i].first->name);
    endpoints += of == nullptr ? 0 : of->endpoints.size();
    if (i == 0 || endpoints <= kMostEndpoints) continue;
    page.items.resize(i);
    page.next = page.items.back().first->name;
  }
  return page;
}

base::Result<PageRequest> PageRequest::from(const base::HttpRequest& request) {
  PageRequest out;
  out.contains = base::to_lower(request.parameter("q"));
  out.after = std::string(request.parameter("after"));
  const auto limit = read_limit(request, out.limit);
  if (!limit) return std::unexpected(limit.error());
  out.limit = *limit;
  return out;
}

Page page_of(const snapshot::Snapshot& snapshot, snapshot::PartKind first, snapshot::PartKind last,
             const PageRequest& request) {
  Page page;
  for (auto at = snapshot.parts.lower_bound({first, {}});
       at != snapshot.parts.end() && at->first.kind <= last; ++at) {
    const auto& name = at->first.name;
    if (!request.contains.empty() && !base::to_lower(name).contains(request.contains)) continue;
    ++page.total;
    // Names of streams begin with their kind, so that names alone order the list.
    if (!request.after.empty() && name <= request.after) continue;
    if (page.items.size() < request.limit) {
      page.items.emplace_back(&at->first, at->second.get());
    } else if (page.next.empty()) {
      page.next = page.items.back().first->name;
    }
  }
  return page;
}

std::string page_json(const Page& page, const WriteItem& write) {
  JsonWriter json;
  json.begin_object().member("total", page.total).key("next");
  if (page.next.empty()) {
    json.raw("null");
  } else {
    json.value(page.next);
  }
  json.key("items").begin_array();
  for (const auto& item : page.items) write(json, item);
  json.end_array().end_object();
  return json.take() + "\n";
}

void write_host(JsonWriter& json, const snapshot::Host& host) {
  json.begin_object().member("name", host.name).member("certificate", host.certificate);
  json.key("routes").begin_array();
  for (const auto& route : host.routes) {
    json.begin_object()
        .member("path", route.path)
        .member("match", route.match == snapshot::PathMatch::kExact ? "exact" : "prefix")
        .member("namespace", route.name_space)
        .member("ingress", route.ingress)
        .member("service", route.service)
        .member("service_port", route.service_port)
        .member("upstream", route.upstream)
        .member("denied_why", route.denied_why)
        .end_object();
  }
  json.end_array().end_object();
}

void write_certificate(JsonWriter& json, const snapshot::Certificate& certificate) {
  const auto owner = base::read_certificate(certificate.chain_pem);
  auto* leaf = owner.get();
  json.begin_object().member("name", certificate.name);
  if (leaf == nullptr) {
    // `validate` has refused it before it could come here.
    json.member("error", "not an X.509 certificate");
  } else {
    json.member("subject", common_name(X509_get_subject_name(leaf)))
        .member("issuer", common_name(X509_get_issuer_name(leaf)))
        .member("not_before", time_text(X509_get0_notBefore(leaf)))
        .member("not_after", time_text(X509_get0_notAfter(leaf)));
    write_texts(json, "dns_names", dns_names(leaf));
  }
  json.end_object();
}

void write_upstream(JsonWriter& json, const snapshot::Upstream& settings,
                    const snapshot::Endpoints* endpoints,
                    const std::map<std::string, worker::EndpointReport>& reports) {
  static const std::vector<snapshot::Endpoint> kNone;
  json.begin_object()
      .member("name", settings.name)
      .member("namespace", settings.name_space)
      .member("service", settings.service)
      .member("port", settings.port)
      .member("algorithm", snapshot::EnumNames<snapshot::Algorithm>::names[static_cast<std::size_t>(
                               settings.balancing.algorithm)]);
  json.key("endpoints").begin_array();
  for (const auto& endpoint : endpoints == nullptr ? kNone : endpoints->endpoints) {
    const auto address = base::parse_address(endpoint.address);
    const auto text = address ? base::format_endpoint(*address, endpoint.port) : endpoint.address;
    const auto found = reports.find(text);
    const auto each = found == reports.end() ? worker::EndpointReport() : found->second;
    const auto answers = static_cast<double>(each.answers);
    json.begin_object()
        .member("address", text)
        .member("weight", endpoint.weight)
        .member("is_up", each.down_workers == 0 && each.check != base::Health::kDown)
        .member("check", word_of(each.check))
        .member("down_workers", each.down_workers)
        .member("down_ms", each.down_ms)
        .member("is_drained", each.is_drained)
        .member("active", each.active)
        .member("requests", each.requests)
        .member("failures", each.failures)
        .member("answers", each.answers)
        .member("average_ms", each.answers == 0 ? 0.0 : each.answer_seconds * 1000 / answers)
        .end_object();
  }
  json.end_array().end_object();
}

std::string errors_json(const worker::Report& report) {
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (std::size_t i = 0; i < report.errors.size(); ++i) {
    const auto& each = report.errors[i];
    if (each.count == 0) continue;
    const auto& row = base::end_reasons()[i];
    json.begin_object().member("reason", row.word).member("meaning", row.meaning);
    json.member("count", each.count).key("last").begin_array();
    for (const auto& last : each.last) {
      json.begin_object()
          .member("time", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(last.time)))
          .member("status", last.status)
          .member("what", last.what.view())
          .member("client", last.client.view())
          .member("endpoint", last.endpoint.view())
          .end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

base::Result<worker::SessionsRequest> sessions_request(const base::HttpRequest& request) {
  worker::SessionsRequest out;
  out.port = std::string(request.parameter("port"));
  const bool is_port = out.port.starts_with("tcp/") || out.port.starts_with("udp/");
  if (!out.port.empty() && (!is_port || out.port.size() > kLongestPort)) {
    return base::fail(fmt::format("port: expected tcp/PORT or udp/PORT, got '{}'",
                                  std::string_view(out.port).substr(0, kLongestPort)));
  }
  const auto limit = read_limit(request, out.most);
  if (!limit) return std::unexpected(limit.error());
  out.most = *limit;
  return out;
}

std::string sessions_json(const worker::SessionsReport& report) {
  JsonWriter json;
  json.begin_object().member("active", report.active).member("examined", report.examined);
  json.key("items").begin_array();
  for (const auto& each : report.busiest) {
    json.begin_object()
        .member("stream", each.stream)
        .member("protocol", each.protocol)
        .member("owner", each.owner)
        .member("client", each.client)
        .member("endpoint", each.endpoint)
        .member("phase", each.phase)
        .member("age_ms", each.age_ms)
        .member("bytes_received", each.received)
        .member("bytes_sent", each.sent)
        .end_object();
  }
  json.end_array().key("ended").begin_array();
  std::vector<std::pair<std::uint64_t, std::string_view>> ended;
  for (std::size_t i = 0; i < report.ended.size(); ++i) {
    if (report.ended[i] == 0) continue;
    ended.emplace_back(report.ended[i], base::word_of(static_cast<base::EndReason>(i)));
  }
  std::ranges::sort(ended, std::greater());
  for (const auto& [number, word] : ended) {
    json.begin_object().member("reason", word).member("count", number).end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

void write_stream(JsonWriter& json, const snapshot::Part& part, const worker::StreamReport& report,
                  std::string_view problem) {
  json.begin_object();
  const auto write_own = [&](const auto& stream, std::string_view protocol) {
    json.member("name", stream.name)
        .member("protocol", protocol)
        .member("address", stream.address)
        .member("port", stream.port)
        .member("owner", stream.owner);
    write_texts(json, "upstreams", upstreams_of(stream));
  };
  if (const auto* tcp = std::get_if<snapshot::Stream>(&part)) write_own(*tcp, "TCP");
  if (const auto* udp = std::get_if<snapshot::UdpStream>(&part)) write_own(*udp, "UDP");
  json.member("problem", problem)
      .member("active", report.active)
      .member("sessions", report.sessions)
      .member("failures", report.failures)
      .member("dropped_datagrams", report.dropped)
      .member("bytes_received", report.bytes_received)
      .member("bytes_sent", report.bytes_sent)
      .end_object();
}

}  // namespace penstock::control
