#include "controller/world/world.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace penstock::world {
namespace {

template <class Index, class Key, class T>
void change_index(Index& index, const Key& key, const T& object, bool adds) {
  if (adds) {
    index[key].push_back(&object);
    return;
  }
  const auto found = index.find(key);
  if (found == index.end()) return;
  std::erase(found->second, &object);
  if (found->second.empty()) index.erase(found);
}

template <class Index, class Key>
auto look_up(const Index& index, const Key& key) {
  const auto found = index.find(key);
  return found == index.end() ? typename Index::mapped_type{} : found->second;
}

void touch_namespace(const std::string& name_space, Touched& touched) {
  touched.facts.push_back(fact(Question::kNamespace, name_space));
  touched.stream_namespaces.insert(name_space);
}

}  // namespace

std::string path_of(const objects::ObjectKey& key) {
  return key.name_space.empty() ? key.name : key.name_space + "/" + key.name;
}

std::set<std::string> hosts_of(const objects::Ingress& ingress) {
  std::set<std::string> hosts;
  for (const auto& rule : ingress.rules) {
    hosts.insert(rule.host.empty() ? std::string(kCatchAll) : rule.host);
  }
  if (ingress.rules.empty() && ingress.default_backend) hosts.emplace(kCatchAll);
  return hosts;
}

void World::index(const objects::Ingress& ingress, bool adds, Touched& touched) {
  for (const auto& host : hosts_of(ingress)) {
    change_index(by_host_, host, ingress, adds);
    touched.facts.push_back(fact(Question::kHost, host));
    touched.hosts.insert(host);
  }
  touched.ingresses.insert({objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name});
}

void World::index(const objects::EndpointSlice& slice, bool adds, Touched& touched) {
  if (slice.service.empty()) return;
  const auto service = slice.meta.name_space + "/" + slice.service;
  change_index(by_service_, service, slice, adds);
  touched.facts.push_back(fact(Question::kSlices, service));
}

void World::index(const objects::TcpService& service, bool adds, Touched& touched) {
  for (const auto port : ports_of(service)) {
    change_index(by_tcp_port_, port, service, adds);
    touched.facts.push_back(fact(Question::kTcpPort, std::to_string(port)));
    touched.tcp_ports.insert(port);
  }
  change_index(tcp_by_namespace_, service.meta.name_space, service, adds);
  touch_namespace(service.meta.name_space, touched);
}

void World::index(const objects::UdpService& service, bool adds, Touched& touched) {
  for (const auto port : ports_of(service)) {
    change_index(by_udp_port_, port, service, adds);
    touched.facts.push_back(fact(Question::kUdpPort, std::to_string(port)));
    touched.udp_ports.insert(port);
  }
  change_index(udp_by_namespace_, service.meta.name_space, service, adds);
  touch_namespace(service.meta.name_space, touched);
}

void World::index(const objects::StreamPortPolicy&, bool, Touched& touched) {
  touched.facts.push_back(fact(Question::kPolicies, ""));
}

void World::index(const objects::ReferenceGrant& grant, bool adds, Touched& touched) {
  change_index(grants_, grant.meta.name_space, grant, adds);
  for (const auto& from : grant.from) {
    for (const auto& to : grant.to) {
      touched.facts.push_back(grant_fact({from, grant.meta.name_space, to}));
    }
  }
}

void World::index(const objects::IngressClass&, bool, Touched& touched) {
  touched.facts.push_back(fact(Question::kClasses, ""));
}

/// Of several the youngest, then the first in the alphabet, as the admission plugin does.
const objects::IngressClass* World::default_class(std::int64_t created) const {
  const objects::IngressClass* out = nullptr;
  for_each<objects::IngressClass>([&](const objects::IngressClass& each) {
    const auto found = each.meta.annotations.find("ingressclass.kubernetes.io/is-default-class");
    if (found == each.meta.annotations.end() || found->second != "true") return;
    // Negative: it was there already.
    const auto rank = [&](const objects::IngressClass& one) {
      const auto late = one.meta.created - created;
      return std::tuple(late > 0, late > 0 ? late : -late, std::string_view(one.meta.name));
    };
    if (out == nullptr || rank(each) < rank(*out)) out = &each;
  });
  return out;
}

template <class T>
void World::replace(const objects::ObjectKey& key, objects::Ptr<T> object, Touched& touched) {
  auto& store = std::get<Store<T>>(stores_);
  const auto path = path_of(key);
  touched.facts.push_back(object_fact(key.kind, path));
  const auto found = store.find(path);
  if (found != store.end()) {
    index(*found->second, false, touched);
    if (!object) {
      store.erase(found);
      return;
    }
    found->second = std::move(object);
    index(*found->second, true, touched);
    return;
  }
  if (!object) return;
  index(*store.emplace(path, std::move(object)).first->second, true, touched);
}

void World::apply(const objects::Change& change, Touched& touched) {
  // Also one that cannot be read counts.
  const auto touch_policies = [&] {
    if (change.key.kind != objects::Kind::kStreamPortPolicy) return;
    touched.facts.push_back(fact(Question::kPolicies, ""));
  };
  auto parsed = change.is_removed ? std::expected<objects::Object, objects::ParseError>()
                                  : parser_.parse(change.key.kind, change.json, change.first_seen);
  if (!parsed) {
    ++unreadable_revision_;
    unreadable_.insert_or_assign(change.key, std::move(parsed.error()));
    touched.facts.push_back(object_fact(change.key.kind, path_of(change.key)));
    touch_policies();
    // What it permitted may be what it is meant to take back.
    if (change.key.kind == objects::Kind::kReferenceGrant) {
      replace<objects::ReferenceGrant>(change.key, nullptr, touched);
    }
    return;
  }
  if (unreadable_.erase(change.key) != 0) {
    ++unreadable_revision_;
    touch_policies();
  }
  const auto remove_or_take = [&]<class T>(objects::Ptr<T>) {
    replace<T>(change.key, change.is_removed ? nullptr : std::get<objects::Ptr<T>>(*parsed),
               touched);
  };
  switch (change.key.kind) {
    case objects::Kind::kIngress:
      return remove_or_take(objects::Ptr<objects::Ingress>());
    case objects::Kind::kIngressClass:
      return remove_or_take(objects::Ptr<objects::IngressClass>());
    case objects::Kind::kService:
      return remove_or_take(objects::Ptr<objects::Service>());
    case objects::Kind::kEndpointSlice:
      return remove_or_take(objects::Ptr<objects::EndpointSlice>());
    case objects::Kind::kSecret:
      return remove_or_take(objects::Ptr<objects::Secret>());
    case objects::Kind::kConfigMap:
      return remove_or_take(objects::Ptr<objects::ConfigMap>());
    case objects::Kind::kNamespace:
      return remove_or_take(objects::Ptr<objects::Namespace>());
    case objects::Kind::kTcpService:
      return remove_or_take(objects::Ptr<objects::TcpService>());
    case objects::Kind::kUdpService:
      return remove_or_take(objects::Ptr<objects::UdpService>());
    case objects::Kind::kStreamPortPolicy:
      return remove_or_take(objects::Ptr<objects::StreamPortPolicy>());
    case objects::Kind::kReferenceGrant:
      return remove_or_take(objects::Ptr<objects::ReferenceGrant>());
    case objects::Kind::kPod:
    case objects::Kind::kIngressReport:
    case objects::Kind::kReplicaReport:
      return;  // no source of ours delivers one
  }
}

void World::set_addresses(std::string_view name, std::vector<base::Address> addresses,
                          Touched& touched) {
  const auto found = addresses_.find(name);
  if (found != addresses_.end() && found->second == addresses) return;
  addresses_.insert_or_assign(std::string(name), std::move(addresses));
  touched.facts.push_back(fact(Question::kAddresses, name));
}

void World::set_targets(std::string_view question, std::vector<SrvTarget> targets,
                        Touched& touched) {
  const auto found = targets_.find(question);
  if (found != targets_.end() && found->second == targets) return;
  targets_.insert_or_assign(std::string(question), std::move(targets));
  touched.facts.push_back(fact(Question::kAddresses, question));
}

const std::vector<SrvTarget>* World::targets_of(std::string_view question) const {
  const auto found = targets_.find(question);
  return found == targets_.end() ? nullptr : &found->second;
}

std::vector<const objects::Ingress*> World::ingresses_of(std::string_view host) const {
  return look_up(by_host_, std::string(host));
}

std::vector<const objects::EndpointSlice*> World::slices_of(std::string_view service_path) const {
  return look_up(by_service_, std::string(service_path));
}

std::vector<const objects::TcpService*> World::tcp_services_of(std::uint16_t port) const {
  return look_up(by_tcp_port_, port);
}

std::vector<const objects::UdpService*> World::udp_services_of(std::uint16_t port) const {
  return look_up(by_udp_port_, port);
}

std::vector<const objects::TcpService*> World::tcp_services_in(
    const std::string& name_space) const {
  return look_up(tcp_by_namespace_, name_space);
}

std::vector<const objects::UdpService*> World::udp_services_in(
    const std::string& name_space) const {
  return look_up(udp_by_namespace_, name_space);
}

PortPolicies World::port_policies() const {
  PortPolicies out;
  for_each<objects::StreamPortPolicy>(
      [&](const objects::StreamPortPolicy& policy) { out.policies.push_back(&policy); });
  out.has_unreadable = std::ranges::any_of(unreadable_, [&](const auto& each) {
    return each.first.kind == objects::Kind::kStreamPortPolicy &&
           find<objects::StreamPortPolicy>(path_of(each.first)) == nullptr;
  });
  return out;
}

bool World::is_granted(const objects::Reference& reference) const {
  const auto found = grants_.find(reference.to_namespace);
  if (found == grants_.end()) return false;
  return std::ranges::any_of(
      found->second, [&](const objects::ReferenceGrant* each) { return each->permits(reference); });
}

const std::vector<base::Address>* World::addresses_of(std::string_view name) const {
  const auto found = addresses_.find(name);
  return found == addresses_.end() ? nullptr : &found->second;
}

}  // namespace penstock::world
