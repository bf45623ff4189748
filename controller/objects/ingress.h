#pragma once
// networking.k8s.io/v1 Ingress and IngressClass, as written: nothing is interpreted.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/meta.h"

namespace penstock::objects {

/// A port by number or by name; exactly one of the two.
struct PortRef {
  std::uint16_t number = 0;
  std::string name;

  std::string text() const { return name.empty() ? std::to_string(number) : name; }
  bool is_given() const { return number != 0 || !name.empty(); }
  bool operator==(const PortRef&) const = default;
};

struct ServiceBackend {
  std::string service;
  PortRef port;
  bool operator==(const ServiceBackend&) const = default;
};

enum class PathType : std::uint8_t { kImplementationSpecific, kExact, kPrefix };

struct IngressPath {
  std::string path;
  PathType type = PathType::kImplementationSpecific;
  std::optional<ServiceBackend> backend;  // none: a resource backend, which nobody serves
};

struct IngressRule {
  std::string host;  // lower case; empty = any
  std::vector<IngressPath> paths;
};

struct IngressTls {
  std::vector<std::string> hosts;  // lower case
  std::string secret;              // may be empty
};

struct Ingress {
  Meta meta;
  std::optional<std::string> class_name;
  std::optional<ServiceBackend> default_backend;
  std::vector<IngressRule> rules;
  std::vector<IngressTls> tls;
  std::vector<std::string> load_balancer;  // addresses and names of its status
};

struct IngressClass {
  Meta meta;
  std::string controller;
};

}  // namespace penstock::objects
