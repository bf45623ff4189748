#pragma once
// What the cluster looks like now: the last good form of every object, and indexes over them. Holds
// values only and asks nobody; the controller's thread owns it.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "controller/objects/parse.h"
#include "controller/objects/source.h"
#include "controller/world/fact.h"
#include "controller/world/srv_target.h"
#include "proxy/base/asio.h"
#include "proxy/base/persistent_map.h"

namespace penstock::world {

/// The name under which Ingresses without a host are found.
inline constexpr std::string_view kCatchAll = "_";

/// What one or more changes may have altered.
struct Touched {
  std::vector<Fact> facts;
  std::set<std::string> hosts;
  std::set<objects::ObjectKey> ingresses;
  std::set<std::uint16_t> tcp_ports;
  std::set<std::uint16_t> udp_ports;
  std::set<std::string> stream_namespaces;  // whose TCPServices or UDPServices differ

  bool empty() const { return facts.empty(); }
};

struct PortPolicies {
  std::vector<const objects::StreamPortPolicy*> policies;  // in no particular order
  bool has_unreadable = false;  // there is one that has never been readable
};

class World {
 public:
  /// Takes one change in. An object that cannot be read keeps its last good form, but for a
  /// ReferenceGrant, which has none then, and is listed in `unreadable` until it can.
  void apply(const objects::Change& change, Touched& touched);
  /// What a DNS name resolves to now, sorted; empty = it does not.
  void set_addresses(std::string_view name, std::vector<base::Address> addresses, Touched& touched);

  /// The same of an SRV question ("SRV _pg._tcp.db.example").
  void set_targets(std::string_view question, std::vector<SrvTarget> targets, Touched& touched);

  /// `path` is "namespace/name", or the name alone for cluster-wide kinds. Null where there is
  /// none.
  template <class T>
  const T* find(std::string_view path) const {
    const auto& all = std::get<Store<T>>(stores_);
    const auto found = all.find(path);
    return found == all.end() ? nullptr : found->second.get();
  }
  template <class T>
  std::size_t count() const {
    return std::get<Store<T>>(stores_).size();
  }
  template <class T, class Visit>
  void for_each(Visit visit) const {
    for (const auto& [path, object] : std::get<Store<T>>(stores_)) visit(*object);
  }

  /// In no particular order; kCatchAll for those without a host or with a bare default backend.
  std::vector<const objects::Ingress*> ingresses_of(std::string_view host) const;
  std::vector<const objects::EndpointSlice*> slices_of(std::string_view service_path) const;
  std::vector<const objects::TcpService*> tcp_services_of(std::uint16_t port) const;
  std::vector<const objects::UdpService*> udp_services_of(std::uint16_t port) const;
  /// Those of a namespace; in no particular order.
  std::vector<const objects::TcpService*> tcp_services_in(const std::string& name_space) const;
  std::vector<const objects::UdpService*> udp_services_in(const std::string& name_space) const;
  PortPolicies port_policies() const;
  /// Whether a ReferenceGrant permits it. One that cannot be read permits nothing, whatever it has
  /// permitted before.
  bool is_granted(const objects::Reference& reference) const;
  /// What an API server would have given to an Ingress without a class that was created then, or
  /// the first one that there was after it; null where no class is the default.
  const objects::IngressClass* default_class(std::int64_t created) const;
  /// Null while the name has never been resolved.
  const std::vector<base::Address>* addresses_of(std::string_view name) const;
  const std::vector<SrvTarget>* targets_of(std::string_view question) const;

  const std::map<objects::ObjectKey, objects::ParseError>& unreadable() const {
    return unreadable_;
  }
  /// Counts changes of it.
  std::uint64_t unreadable_revision() const { return unreadable_revision_; }

 private:
  template <class T>
  using Store = std::unordered_map<std::string, objects::Ptr<T>, base::TextHash, std::equal_to<>>;
  template <class Key, class T>
  using Index = std::unordered_map<Key, std::vector<const T*>>;

  template <class T>
  void replace(const objects::ObjectKey& key, objects::Ptr<T> object, Touched& touched);
  void index(const objects::Ingress& ingress, bool adds, Touched& touched);
  void index(const objects::EndpointSlice& slice, bool adds, Touched& touched);
  void index(const objects::TcpService& service, bool adds, Touched& touched);
  void index(const objects::UdpService& service, bool adds, Touched& touched);
  void index(const objects::StreamPortPolicy& policy, bool adds, Touched& touched);
  void index(const objects::ReferenceGrant& grant, bool adds, Touched& touched);
  void index(const objects::IngressClass& one, bool adds, Touched& touched);
  template <class T>
  void index(const T&, bool, Touched&) {}

  std::tuple<Store<objects::Ingress>, Store<objects::IngressClass>, Store<objects::Service>,
             Store<objects::EndpointSlice>, Store<objects::Secret>, Store<objects::ConfigMap>,
             Store<objects::Namespace>, Store<objects::TcpService>, Store<objects::UdpService>,
             Store<objects::StreamPortPolicy>, Store<objects::ReferenceGrant>>
      stores_;
  Index<std::string, objects::Ingress> by_host_;
  Index<std::string, objects::EndpointSlice> by_service_;
  Index<std::uint16_t, objects::TcpService> by_tcp_port_;
  Index<std::uint16_t, objects::UdpService> by_udp_port_;
  Index<std::string, objects::TcpService> tcp_by_namespace_;
  Index<std::string, objects::UdpService> udp_by_namespace_;
  Index<std::string, objects::ReferenceGrant> grants_;  // by their namespace
  std::unordered_map<std::string, std::vector<base::Address>, base::TextHash, std::equal_to<>>
      addresses_;
  std::unordered_map<std::string, std::vector<SrvTarget>, base::TextHash, std::equal_to<>> targets_;
  std::map<objects::ObjectKey, objects::ParseError> unreadable_;
  std::uint64_t unreadable_revision_ = 0;
  objects::Parser parser_;
};

/// "namespace/name", or "name".
std::string path_of(const objects::ObjectKey& key);
/// The hosts under which an Ingress is found, without repeats.
std::set<std::string> hosts_of(const objects::Ingress& ingress);
/// The ports under which a TCPService or UDPService is found. A listener that takes any port and
/// has none yet is not found by port.
template <class T>
std::set<std::uint16_t> ports_of(const T& service) {
  std::set<std::uint16_t> ports;
  for (const auto& listener : service.listeners) {
    if (listener.ports.first == 0) continue;
    for (int port = listener.ports.first; port <= listener.ports.last; ++port) {
      ports.insert(static_cast<std::uint16_t>(port));
    }
  }
  return ports;
}

}  // namespace penstock::world
