#pragma once
// The world as one job of the translation sees it: every look is remembered as a fact, so that the
// job runs again when, and only when, something that it has seen changes.
#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/translate/options.h"
#include "controller/world/world.h"
#include "proxy/base/result.h"

namespace penstock::translate {

template <class T>
struct KindOf;
template <>
struct KindOf<objects::IngressClass> {
  static constexpr auto value = objects::Kind::kIngressClass;
};
template <>
struct KindOf<objects::Service> {
  static constexpr auto value = objects::Kind::kService;
};
template <>
struct KindOf<objects::Secret> {
  static constexpr auto value = objects::Kind::kSecret;
};
template <>
struct KindOf<objects::ConfigMap> {
  static constexpr auto value = objects::Kind::kConfigMap;
};
template <>
struct KindOf<objects::Ingress> {
  static constexpr auto value = objects::Kind::kIngress;
};
template <>
struct KindOf<objects::Namespace> {
  static constexpr auto value = objects::Kind::kNamespace;
};

class Reader {
 public:
  Reader(const world::World& world, const Options& options) : world_(world), options_(options) {}

  template <class T>
  const T* find(std::string_view path) {
    facts_.push_back(world::object_fact(KindOf<T>::value, path));
    return world_.find<T>(path);
  }
  /// A Secret, or why there is none to be had: one that may not be read is not asked for.
  base::Result<const objects::Secret*> secret(const std::string& path);
  std::vector<const objects::Ingress*> ingresses_of(std::string_view host) {
    facts_.push_back(world::fact(world::Question::kHost, host));
    return world_.ingresses_of(host);
  }
  std::vector<const objects::EndpointSlice*> slices_of(std::string_view service) {
    facts_.push_back(world::fact(world::Question::kSlices, service));
    return world_.slices_of(service);
  }
  std::vector<const objects::TcpService*> tcp_services_of(std::uint16_t port) {
    facts_.push_back(world::fact(world::Question::kTcpPort, std::to_string(port)));
    return world_.tcp_services_of(port);
  }
  std::vector<const objects::UdpService*> udp_services_of(std::uint16_t port) {
    facts_.push_back(world::fact(world::Question::kUdpPort, std::to_string(port)));
    return world_.udp_services_of(port);
  }
  std::vector<const objects::TcpService*> tcp_services_in(const std::string& name_space) {
    facts_.push_back(world::fact(world::Question::kNamespace, name_space));
    return world_.tcp_services_in(name_space);
  }
  std::vector<const objects::UdpService*> udp_services_in(const std::string& name_space) {
    facts_.push_back(world::fact(world::Question::kNamespace, name_space));
    return world_.udp_services_in(name_space);
  }
  world::PortPolicies port_policies() {
    facts_.push_back(world::fact(world::Question::kPolicies, ""));
    return world_.port_policies();
  }
  /// Asked whether what is referred to exists or not.
  bool is_granted(const objects::Reference& reference) {
    auto to_all = reference;
    to_all.to.name.clear();
    facts_.push_back(world::grant_fact(reference));
    facts_.push_back(world::grant_fact(to_all));
    return world_.is_granted(reference);
  }
  const objects::IngressClass* default_class(std::int64_t created) {
    facts_.push_back(world::fact(world::Question::kClasses, ""));
    return world_.default_class(created);
  }
  const std::vector<base::Address>* addresses_of(const std::string& name) {
    names_.insert(name);
    facts_.push_back(world::fact(world::Question::kAddresses, name));
    return world_.addresses_of(name);
  }

  const std::vector<world::SrvTarget>* targets_of(const std::string& question) {
    names_.insert(question);
    facts_.push_back(world::fact(world::Question::kAddresses, question));
    return world_.targets_of(question);
  }

  /// Sorted, without repeats.
  std::vector<world::Fact> take_facts() {
    std::ranges::sort(facts_);
    facts_.erase(std::unique(facts_.begin(), facts_.end()), facts_.end());
    return std::move(facts_);
  }
  /// Secrets that may be read and DNS names that were asked for, whether they exist or not.
  std::set<std::string>& secrets() { return secrets_; }
  std::set<std::string>& names() { return names_; }

 private:
  const world::World& world_;
  const Options& options_;
  std::vector<world::Fact> facts_;
  std::set<std::string> secrets_;
  std::set<std::string> names_;
};

}  // namespace penstock::translate
