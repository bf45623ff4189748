#pragma once
// What the operator says on the command line, as far as it changes what is served.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/label_selector.h"
#include "proxy/snapshot/global.h"

namespace penstock::translate {

struct Options {
  std::string ingress_class = "nginx";  // value of the annotation kubernetes.io/ingress.class
  std::string controller_class = "k8s.io/ingress-nginx";  // spec.controller of our IngressClasses
  bool takes_class_by_name = false;  // also the IngressClass named like `ingress_class`
  bool takes_without_class = false;
  bool refuses_catch_all = false;       // Ingresses with spec.defaultBackend
  bool refuses_external_names = false;  // Services of type ExternalName
  /// Which namespaces are served, by their labels; without: all that are watched.
  std::optional<objects::LabelSelector> namespace_selector;
  snapshot::Instance instance;
  // Paths "namespace/name"; empty = none.
  std::string config_map;
  std::string tcp_services;
  std::string udp_services;
  std::string default_backend;      // a Service; its first port
  std::string default_certificate;  // a Secret
  /// Sorted; Secrets of others are not read, but for that one. Empty = all that are watched.
  std::vector<std::string> secret_namespaces;
  std::string annotation_prefix = "nginx.ingress.kubernetes.io";
  std::uint16_t http_port = 80;
  std::uint16_t https_port = 443;
  bool passes_tls_through = false;            // --enable-ssl-passthrough
  std::string listen_address;                 // empty = every address
  std::vector<std::uint16_t> reserved_ports;  // besides the two above: not to be taken by streams
  /// Endpoints on loopback and link-local addresses are served: for a directory of manifests on a
  /// machine of one's own, never for a cluster, where they would reach into our pod and its node.
  bool allows_local_endpoints = false;
  /// Objects come from files. So what an API server does is done here: an Ingress that names no
  /// class is of the default one, the IngressClass named `ingress_class` is there, and who is not
  /// served is told so, for there is no other controller that could serve it.
  bool is_without_api_server = false;
  /// Of our node: endpoints that hints of EndpointSlices give to it are used alone. Empty = not
  /// known.
  std::string zone;
  /// Presented where nothing else fits: self-signed, made at start.
  std::string fallback_chain_pem;
  std::string fallback_key_pem;
};

}  // namespace penstock::translate
