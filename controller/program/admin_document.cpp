#include "controller/program/admin_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "controller/program/pod.h"
#include "proxy/base/json_writer.h"
#include "proxy/base/text.h"

namespace penstock::program {
namespace {

using base::JsonWriter;

constexpr std::size_t kUsualLimit = 200;
constexpr std::size_t kMostLimit = 1000;
constexpr std::streamsize kMostPem = 1 << 20;

base::Result<std::string> read_file(const char* flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(kMostPem), '\0');
  if (file) file.read(text.data(), kMostPem);
  if (file.bad() || file.gcount() == 0 || file.gcount() == kMostPem) {
    return base::fail(fmt::format("{} {}: expected a file of at most 1 MiB", flag, path));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::size_t objects_of(const world::World& world, objects::Kind kind) {
  switch (kind) {
    case objects::Kind::kIngress:
      return world.count<objects::Ingress>();
    case objects::Kind::kIngressClass:
      return world.count<objects::IngressClass>();
    case objects::Kind::kService:
      return world.count<objects::Service>();
    case objects::Kind::kEndpointSlice:
      return world.count<objects::EndpointSlice>();
    case objects::Kind::kSecret:
      return world.count<objects::Secret>();
    case objects::Kind::kConfigMap:
      return world.count<objects::ConfigMap>();
    case objects::Kind::kNamespace:
      return world.count<objects::Namespace>();
    case objects::Kind::kTcpService:
      return world.count<objects::TcpService>();
    case objects::Kind::kUdpService:
      return world.count<objects::UdpService>();
    case objects::Kind::kStreamPortPolicy:
      return world.count<objects::StreamPortPolicy>();
    case objects::Kind::kReferenceGrant:
      return world.count<objects::ReferenceGrant>();
    default:
      return 0;
  }
}

/// One entry for each kind, whatever number of watches it takes.
void write_sources(JsonWriter& json, const Controller& controller) {
  std::map<objects::Kind, objects::WatchStatus> by_kind;
  // A directory of manifests has no watches.
  for (const auto& kind : objects::kKinds) by_kind[kind.kind];
  for (const auto& each : controller.watches()) {
    auto& sum = by_kind[each.kind];
    sum.lists += each.lists;
    sum.restarts += each.restarts;
    sum.failures += each.failures;
    if (each.disconnected_since &&
        (!sum.disconnected_since || *each.disconnected_since < *sum.disconnected_since)) {
      sum.disconnected_since = each.disconnected_since;
    }
  }
  const auto now = std::chrono::steady_clock::now();
  json.key("sources").begin_array();
  for (const auto& [kind, sum] : by_kind) {
    const auto since = sum.disconnected_since.value_or(now);
    json.begin_object()
        .member("kind", objects::info_of(kind).name)
        .member("objects", objects_of(controller.world(), kind))
        .member("lists", sum.lists)
        .member("restarts", sum.restarts)
        .member("failures", sum.failures)
        .member("disconnected_seconds",
                std::chrono::duration_cast<std::chrono::seconds>(now - since).count())
        .end_object();
  }
  json.end_array();
}

void write_diagnostics(JsonWriter& json, const Controller& controller, std::string_view contains,
                       std::size_t skip, std::size_t limit) {
  std::vector<translate::Diagnostic> wanted;
  for (auto& each : controller.translator().diagnostics(controller.world())) {
    const bool is_wanted =
        contains.empty() || base::to_lower(translate::to_string(each)).contains(contains);
    if (is_wanted) wanted.push_back(std::move(each));
  }
  json.key("diagnostics").begin_object().member("total", wanted.size()).key("next");
  if (skip + limit < wanted.size()) {
    json.value(std::to_string(skip + limit));
  } else {
    json.raw("null");
  }
  json.key("items").begin_array();
  for (std::size_t i = skip; i < std::min(wanted.size(), skip + limit); ++i) {
    json.begin_object()
        .member("object", objects::to_string(wanted[i].object))
        .member("field", wanted[i].field)
        .member("message", wanted[i].message)
        .end_object();
  }
  json.end_array().end_object();
}

}  // namespace

base::Result<admin::AdminOptions> admin_options(const Flags& flags) {
  admin::AdminOptions out;
  out.address = flags.admin_address;
  out.port = flags.admin_port;
  out.token_file = flags.admin_token_file;
  out.proxy_socket =
      flags.admin_proxy_socket.empty()
          ? std::filesystem::path(flags.socket).replace_filename("admin.sock").string()
          : flags.admin_proxy_socket;
  if (flags.admin_certificate_file.empty() != flags.admin_key_file.empty()) {
    return base::fail("--admin-certificate-file and --admin-key-file go together");
  }
  if (flags.admin_certificate_file.empty()) return out;
  auto chain = read_file("--admin-certificate-file", flags.admin_certificate_file);
  if (!chain) return std::unexpected(chain.error());
  auto key = read_file("--admin-key-file", flags.admin_key_file);
  if (!key) return std::unexpected(key.error());
  out.tls = base::HttpServer::Pem{std::move(*chain), std::move(*key)};
  return out;
}

base::HttpReply admin_document(const Controller& controller, const Cluster* cluster,
                               const base::HttpRequest& request) {
  const auto number = [&](const char* name, std::size_t usual) -> std::optional<std::size_t> {
    const auto text = request.parameter(name);
    return text.empty() ? usual : base::parse_integer<std::size_t>(text);
  };
  const auto limit = number("limit", kUsualLimit);
  const auto skip = number("after", 0);
  if (!limit || *limit < 1 || *limit > kMostLimit || !skip || *skip > 10'000'000) {
    return base::http_error(400, fmt::format("limit: expected 1 to {}; after: a number that was "
                                             "given as next",
                                             kMostLimit));
  }
  const auto pod = this_pod();
  const auto* election = cluster == nullptr ? nullptr : cluster->election();
  JsonWriter json;
  json.begin_object()
      .member("program", "penstock-controller")
      .member("version", PENSTOCK_VERSION)
      .member("pod", pod.name.empty() ? "" : pod.name_space + "/" + pod.name)
      .key("is_leading");
  if (election == nullptr) {
    json.raw("null");
  } else {
    json.value(election->is_leading());
  }
  json.member("leader", election == nullptr ? std::string_view() : election->holder())
      .member("published_version", controller.server().version())
      .member("proxies", controller.server().proxies())
      .member("proxies_current", controller.server().proxies_at(controller.server().version()));
  json.key("port_problems").begin_array();
  for (const auto& each : controller.port_problems()) json.value(each);
  json.end_array();
  write_sources(json, controller);
  write_diagnostics(json, controller, base::to_lower(request.parameter("q")), *skip, *limit);
  json.end_object();
  return {200, json.take() + "\n", "application/json", {}};
}

}  // namespace penstock::program
