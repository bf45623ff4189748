#pragma once
// A world written as JSON, and its translation.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "controller/translate/translator.h"
#include "proxy/snapshot/validate.h"
#include "tests/support/certificates.h"

namespace penstock::translate {

using objects::Kind;

class Cluster {
 public:
  explicit Cluster(Options options = {}) : translator(std::move(options)) {}

  Cluster& put(Kind kind, std::string_view path, std::string_view rest, int created = 1) {
    const auto key = key_of(kind, path);
    auto json = fmt::format(
        R"({{"metadata":{{"namespace":"{}","name":"{}","creationTimestamp":"2026-01-01T00:00:{:02}Z"}},{})",
        key.name_space, key.name, created, rest);
    return apply({key, false, json + "}", {}});
  }
  /// With annotations, as a JSON object's members.
  Cluster& ingress(std::string_view path, std::string_view spec, std::string_view annotations = "",
                   int created = 1) {
    const auto key = key_of(Kind::kIngress, path);
    return apply(
        {key,
         false,
         fmt::format(
             R"({{"metadata":{{"namespace":"{}","name":"{}","creationTimestamp":"2026-01-01T00:00:{:02}Z","annotations":{{{}}}}},"spec":{{"ingressClassName":"nginx",{}}}}})",
             key.name_space, key.name, created, annotations, spec),
         {}});
  }
  Cluster& service(std::string_view path, std::string_view ports = R"({"port":80})") {
    return put(Kind::kService, path, fmt::format(R"("spec":{{"ports":[{}]}})", ports));
  }
  Cluster& slice(std::string_view service_path, std::string_view address, int port = 8080,
                 std::string_view suffix = "1") {
    const auto key = key_of(Kind::kEndpointSlice, service_path);
    return apply(
        {{Kind::kEndpointSlice, key.name_space, key.name + "-" + std::string(suffix)},
         false,
         fmt::format(
             R"({{"metadata":{{"namespace":"{0}","name":"{1}-{4}","labels":{{"kubernetes.io/service-name":"{1}"}}}},"addressType":"IPv4","ports":[{{"port":{3}}}],"endpoints":[{{"addresses":["{2}"]}}]}})",
             key.name_space, key.name, address, port, suffix),
         {}});
  }
  Cluster& secret(std::string_view path, const std::vector<std::string>& hosts) {
    const auto pair = test::make_certificate(hosts);
    return put(Kind::kSecret, path,
               fmt::format(R"("type":"kubernetes.io/tls","data":{{"tls.crt":"{}","tls.key":"{}"}})",
                           test::to_base64(pair.chain), test::to_base64(pair.key)));
  }
  Cluster& ingress_class() {
    return put(Kind::kIngressClass, "nginx", R"("spec":{"controller":"k8s.io/ingress-nginx"})");
  }
  Cluster& remove(Kind kind, std::string_view path) {
    return apply({key_of(kind, path), true, {}, {}});
  }
  Cluster& apply(const objects::Change& change) {
    world.apply(change, touched);
    return *this;
  }

  PartChanges translate() {
    auto changes = translator.translate(world, touched);
    touched = {};
    return changes;
  }
  const snapshot::Host* host(const std::string& name) {
    return part<snapshot::Host>(snapshot::PartKind::kHost, name);
  }
  const snapshot::Stream* stream(const std::string& name) {
    return part<snapshot::Stream>(snapshot::PartKind::kStream, name);
  }
  template <class T>
  const T* part(snapshot::PartKind kind, const std::string& name) {
    const auto found = translator.parts().find({kind, name});
    return found == translator.parts().end() ? nullptr : &std::get<T>(*found->second);
  }
  /// "exact /a s" for each route: match, path, service.
  std::vector<std::string> routes(const std::string& name) {
    std::vector<std::string> out;
    const auto* found = host(name);
    if (found == nullptr) return out;
    for (const auto& route : found->routes) {
      out.push_back(fmt::format("{} {} {}", snapshot::name_of(route.match), route.path,
                                route.service.empty() ? "404" : route.service));
    }
    return out;
  }
  std::vector<std::string> endpoints(const std::string& name) {
    std::vector<std::string> out;
    if (const auto* found = part<snapshot::Endpoints>(snapshot::PartKind::kEndpoints, name)) {
      for (const auto& each : found->endpoints) {
        out.push_back(fmt::format("{}:{}", each.address, each.port));
      }
    }
    return out;
  }
  std::vector<std::string> diagnostics() {
    std::vector<std::string> out;
    for (const auto& each : translator.diagnostics(world)) out.push_back(to_string(each));
    return out;
  }

  static objects::ObjectKey key_of(Kind kind, std::string_view path) {
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) return {kind, "", std::string(path)};
    return {kind, std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
  }

  world::World world;
  world::Touched touched;
  Translator translator;
};

/// One rule of an Ingress: host and a list of "type path service".
inline std::string rule(std::string_view host, const std::vector<std::string>& paths) {
  std::string list;
  for (const auto& each : paths) {
    const auto a = each.find(' ');
    const auto b = each.find(' ', a + 1);
    list += fmt::format(
        R"({}{{"pathType":"{}","path":"{}","backend":{{"service":{{"name":"{}","port":{{"number":80}}}}}}}})",
        list.empty() ? "" : ",", each.substr(0, a), each.substr(a + 1, b - a - 1),
        each.substr(b + 1));
  }
  return fmt::format(R"({{"host":"{}","http":{{"paths":[{}]}}}})", host, list);
}
inline std::string rules(std::string_view host, const std::vector<std::string>& paths) {
  return R"("rules":[)" + rule(host, paths) + "]";
}

}  // namespace penstock::translate
