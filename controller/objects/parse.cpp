#include "controller/objects/parse.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <limits>

#include "proxy/base/base64.h"
#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

constexpr std::string_view kKubectlCopy = "kubectl.kubernetes.io/last-applied-configuration";

/// "2026-01-31T12:00:00Z" (RFC 3339 in UTC, as the API server writes it); 0 where it is not one.
std::int64_t parse_time(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[10] != 'T') return 0;
  const auto number = [&](std::size_t at, std::size_t size) {
    return base::parse_integer<int>(text.substr(at, size)).value_or(0);
  };
  const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2))));
  if (!day.ok()) return 0;
  const auto days = std::chrono::sys_days(day).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(days).count() + number(11, 2) * 3600 +
         number(14, 2) * 60 + number(17, 2);
}

std::optional<ServiceBackend> parse_backend(const Json& json) {
  const auto service = json.get("service");
  if (service.is_absent()) return std::nullopt;
  ServiceBackend backend;
  backend.service = service.text("name");
  if (backend.service.empty()) service.fail("expected a Service's name, got none");
  const auto port = service.get("port");
  backend.port.name = port.text("name");
  backend.port.number = static_cast<std::uint16_t>(port.integer("number", 0, kMaxPort, 0));
  return backend;
}

constexpr std::array kPathTypes = {
    Named<PathType>{"Exact", PathType::kExact},
    Named<PathType>{"Prefix", PathType::kPrefix},
    Named<PathType>{"ImplementationSpecific", PathType::kImplementationSpecific},
};

IngressRule parse_rule(const Json& json) {
  IngressRule rule;
  rule.host = base::to_lower(json.text("host"));
  json.get("http").for_each("paths", [&](const Json& item) {
    IngressPath path;
    path.path = item.text("path");
    path.type = choose(item, "pathType", kPathTypes, PathType::kImplementationSpecific);
    path.backend = parse_backend(item.get("backend"));
    rule.paths.push_back(std::move(path));
  });
  return rule;
}

std::vector<std::string> parse_load_balancer(const Json& json) {
  std::vector<std::string> out;
  json.get("status").get("loadBalancer").for_each("ingress", [&](const Json& item) {
    for (const auto* key : {"ip", "hostname"}) {
      if (auto text = item.text(key); !text.empty()) out.push_back(std::move(text));
    }
  });
  return out;
}

Ingress parse_ingress(const Json& json) {
  Ingress ingress;
  ingress.meta = parse_meta(json);
  const auto spec = json.get("spec");
  ingress.class_name = spec.optional_text("ingressClassName");
  ingress.default_backend = parse_backend(spec.get("defaultBackend"));
  spec.for_each("rules", [&](const Json& item) { ingress.rules.push_back(parse_rule(item)); });
  spec.for_each("tls", [&](const Json& item) {
    IngressTls tls;
    for (const auto& host : item.texts("hosts")) tls.hosts.push_back(base::to_lower(host));
    tls.secret = item.text("secretName");
    ingress.tls.push_back(std::move(tls));
  });
  ingress.load_balancer = parse_load_balancer(json);
  return ingress;
}

IngressClass parse_ingress_class(const Json& json) {
  return {parse_meta(json), json.get("spec").text("controller")};
}

constexpr std::array kProtocols = {
    Named<Protocol>{"TCP", Protocol::kTcp},
    Named<Protocol>{"UDP", Protocol::kUdp},
    Named<Protocol>{"SCTP", Protocol::kSctp},
};
constexpr std::array kServiceTypes = {
    Named<ServiceType>{"ClusterIP", ServiceType::kClusterIp},
    Named<ServiceType>{"NodePort", ServiceType::kNodePort},
    Named<ServiceType>{"LoadBalancer", ServiceType::kLoadBalancer},
    Named<ServiceType>{"ExternalName", ServiceType::kExternalName},
};

std::vector<ServicePortError> parse_port_errors(const Json& json) {
  std::vector<ServicePortError> out;
  json.get("status").get("loadBalancer").for_each("ingress", [&](const Json& item) {
    item.for_each("ports", [&](const Json& port) {
      auto error = port.text("error");
      if (error.empty()) return;
      out.push_back({static_cast<std::uint16_t>(port.integer("port", 0, kMaxPort, 0)),
                     choose(port, "protocol", kProtocols, Protocol::kTcp), std::move(error)});
    });
  });
  return out;
}

Service parse_service(const Json& json) {
  Service service;
  service.meta = parse_meta(json);
  service.meta.annotations.clear();  // none is read, and there may be many Services
  service.meta.labels.clear();
  const auto spec = json.get("spec");
  service.type = choose(spec, "type", kServiceTypes, ServiceType::kClusterIp);
  service.cluster_ip = spec.text("clusterIP");
  service.external_name = spec.text("externalName");
  service.external_ips = spec.texts("externalIPs");
  spec.for_each("ports", [&](const Json& item) {
    ServicePort port;
    port.name = item.text("name");
    port.number = static_cast<std::uint16_t>(item.integer("port", 1, kMaxPort, 0));
    port.protocol = choose(item, "protocol", kProtocols, Protocol::kTcp);
    port.target = parse_port(item, "targetPort");
    if (!port.target.is_given()) port.target.number = port.number;
    service.ports.push_back(std::move(port));
  });
  service.load_balancer = parse_load_balancer(json);
  service.port_errors = parse_port_errors(json);
  return service;
}

EndpointSlice parse_endpoint_slice(const Json& json) {
  EndpointSlice slice;
  slice.meta = parse_meta(json);
  slice.service = slice.meta.labels["kubernetes.io/service-name"];
  slice.meta.annotations.clear();
  slice.meta.labels.clear();
  slice.has_ip_addresses = json.text("addressType") != "FQDN";
  json.for_each("ports", [&](const Json& item) {
    SlicePort port;
    port.name = item.text("name");
    port.number = static_cast<std::uint16_t>(item.integer("port", 0, kMaxPort, 0));
    port.protocol = choose(item, "protocol", kProtocols, Protocol::kTcp);
    slice.ports.push_back(std::move(port));
  });
  json.for_each("endpoints", [&](const Json& item) {
    SliceEndpoint endpoint;
    endpoint.addresses = item.texts("addresses");
    endpoint.is_ready = item.get("conditions").boolean("ready", true);
    item.get("hints").for_each(
        "forZones", [&](const Json& zone) { endpoint.zones.push_back(zone.text("name")); });
    slice.endpoints.push_back(std::move(endpoint));
  });
  return slice;
}

Secret parse_secret(const Json& json) {
  Secret secret;
  secret.meta = parse_meta(json);
  secret.meta.annotations.clear();
  secret.type = json.text("type");
  json.for_each_member("data", [&](std::string_view name, const Json& value) {
    auto decoded = base::decode_base64(value.own_text());
    if (!decoded) {
      value.fail("expected base64, got something else");
      return;
    }
    secret.data.emplace(name, std::move(*decoded));
  });
  return secret;
}

ConfigMap parse_config_map(const Json& json) {
  ConfigMap map;
  map.meta = parse_meta(json);
  map.meta.annotations.clear();
  json.for_each_member("data", [&](std::string_view name, const Json& value) {
    map.data.emplace(name, value.own_text());
  });
  return map;
}

Object parse_kind(Kind kind, const Json& json, std::int64_t first_seen) {
  const auto as_object = [&]<class T>(T value) -> Object {
    if (value.meta.created == 0) value.meta.created = first_seen;
    return std::make_shared<const T>(std::move(value));
  };
  switch (kind) {
    case Kind::kIngress:
      return as_object(parse_ingress(json));
    case Kind::kIngressClass:
      return as_object(parse_ingress_class(json));
    case Kind::kService:
      return as_object(parse_service(json));
    case Kind::kEndpointSlice:
      return as_object(parse_endpoint_slice(json));
    case Kind::kSecret:
      return as_object(parse_secret(json));
    case Kind::kConfigMap:
      return as_object(parse_config_map(json));
    case Kind::kNamespace:
      return as_object(Namespace{parse_meta(json)});
    case Kind::kTcpService:
      return as_object(parse_tcp_service(json));
    case Kind::kUdpService:
      return as_object(parse_udp_service(json));
    case Kind::kStreamPortPolicy:
      return as_object(parse_port_policy(json));
    case Kind::kReferenceGrant:
      return as_object(parse_reference_grant(json));
    case Kind::kPod:
    case Kind::kIngressReport:
    case Kind::kReplicaReport:
      break;
  }
  json.fail("this kind is no object of the world");
  return Ptr<Namespace>();
}

/// Of annotations and data people know the key: it is in the message, as in all others about them.
std::string with_key(std::string_view pointer, std::string message) {
  for (const std::string_view root : {"/metadata/annotations/", "/data/"}) {
    if (!pointer.starts_with(root)) continue;
    std::string key;
    for (auto rest = pointer.substr(root.size()); !rest.empty();) {
      const bool is_escape = rest.starts_with("~1") || rest.starts_with("~0");
      key += !is_escape ? rest[0] : rest[1] == '1' ? '/' : '~';
      rest.remove_prefix(is_escape ? 2 : 1);
    }
    return fmt::format("{}: {}", key, message);
  }
  return message;
}

}  // namespace

Meta parse_meta(const Json& json) {
  const auto from = json.get("metadata");
  Meta meta;
  meta.name_space = from.text("namespace");
  meta.name = from.text("name");
  meta.uid = from.text("uid");
  meta.created = parse_time(from.text("creationTimestamp"));
  meta.generation = from.integer("generation", 0, std::numeric_limits<std::int64_t>::max(), 0);
  from.for_each_member("annotations", [&](std::string_view name, const Json& value) {
    if (name != kKubectlCopy) meta.annotations.emplace(name, value.own_text());
  });
  from.for_each_member("labels", [&](std::string_view name, const Json& value) {
    meta.labels.emplace(name, value.own_text());
  });
  return meta;
}

PortRef parse_port(const Json& json, std::string_view key) {
  const auto field = json.get(key);
  if (field.is_absent()) return {};
  if (field.is_text()) return {0, field.own_text()};
  return {static_cast<std::uint16_t>(field.own_integer(1, kMaxPort)), {}};
}

std::expected<Object, ParseError> Parser::parse(Kind kind, std::string_view json,
                                                std::int64_t first_seen) {
  simdjson::dom::element root;
  if (const auto code = parser_.parse(json.data(), json.size()).get(root);
      code != simdjson::SUCCESS) {
    return std::unexpected(
        ParseError{"", fmt::format("expected JSON: {}", simdjson::error_message(code)), {}});
  }
  JsonFailure failure;
  auto object = parse_kind(kind, Json(root, failure), first_seen);
  if (!failure.message.empty()) {
    JsonFailure ignored;
    auto message = with_key(failure.pointer, std::move(failure.message));
    return std::unexpected(ParseError{std::move(failure.pointer), std::move(message),
                                      parse_meta(Json(root, ignored))});
  }
  return object;
}

}  // namespace penstock::objects
