#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/snapshot/policy/balancing.h"
#include "proxy/snapshot/policy/health_check.h"

namespace penstock::snapshot {

/// A group of endpoints and how one of them is chosen. Its endpoints are a part of their own, under
/// the same name, because they change far more often.
struct Upstream {
  std::string name;  // "<namespace>-<service>-<port>"
  std::string name_space;
  std::string service;
  std::string port;
  Balancing balancing;
  PassiveHealth passive_health;
  HealthCheck health_check;

  template <class Archive>
  void describe(Archive& archive) {
    archive("name", name)("namespace", name_space)("service", service)("port", port)(
        "balancing", balancing)("passive_health", passive_health)("health_check", health_check);
  }
  bool operator==(const Upstream&) const = default;
};

struct Endpoint {
  std::string address;  // an IP address in its canonical text
  std::uint16_t port = 0;
  std::uint32_t weight = 1;

  template <class Archive>
  void describe(Archive& archive) {
    archive("address", address)("port", port)("weight", weight);
  }
  auto operator<=>(const Endpoint&) const = default;
};

/// The addresses of one upstream, sorted and without repeats. Empty: 503.
struct Endpoints {
  std::string upstream;
  std::vector<Endpoint> endpoints;

  template <class Archive>
  void describe(Archive& archive) {
    archive("upstream", upstream)("endpoints", endpoints);
  }
  bool operator==(const Endpoints&) const = default;
};

}  // namespace penstock::snapshot
