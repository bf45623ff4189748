#include "controller/translate/stream_port.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/translate/class_selection.h"
#include "controller/translate/endpoints.h"
#include "controller/translate/host_tls.h"
#include "controller/translate/port_permission.h"
#include "controller/translate/reference.h"
#include "controller/translate/stream_tls.h"

namespace penstock::translate {
namespace {

snapshot::Algorithm algorithm_of(objects::LoadBalancing from) {
  switch (from) {
    case objects::LoadBalancing::kRoundRobin:
      return snapshot::Algorithm::kRoundRobin;
    case objects::LoadBalancing::kLeastConnections:
      return snapshot::Algorithm::kLeastConnections;
    case objects::LoadBalancing::kRandom:
      return snapshot::Algorithm::kRandom;
    case objects::LoadBalancing::kRandom2:
      return snapshot::Algorithm::kRandomTwo;
    case objects::LoadBalancing::kLeastTime:
      return snapshot::Algorithm::kEwma;
    case objects::LoadBalancing::kSourceIpHash:
      return snapshot::Algorithm::kSourceIpHash;
    case objects::LoadBalancing::kHash:
      break;
  }
  return snapshot::Algorithm::kHash;
}

/// What tells two hosts of the same name apart.
std::string port_text(const objects::StreamBackend& backend) {
  switch (backend.records) {
    case objects::HostRecords::kAuto:
      break;
    case objects::HostRecords::kA:
      return backend.port.text() + "/A";
    case objects::HostRecords::kAaaa:
      return backend.port.text() + "/AAAA";
    case objects::HostRecords::kSrv:
      return "SRV";
  }
  return backend.port.text();
}

}  // namespace

template <class T>
std::vector<const T*> in_order(std::vector<const T*> services, const StreamInput& input,
                               std::uint16_t port) {
  std::erase_if(services,
                [&](const T* each) { return !is_ours(input.reader, *each, input.options); });
  std::ranges::sort(services, [port](const T* a, const T* b) {
    const bool has_a = a->status.has_port(port);
    const bool has_b = b->status.has_port(port);
    return has_a != has_b ? has_a : objects::is_older(a->meta, b->meta);
  });
  return services;
}
template std::vector<const objects::TcpService*> in_order(std::vector<const objects::TcpService*>,
                                                          const StreamInput&, std::uint16_t);
template std::vector<const objects::UdpService*> in_order(std::vector<const objects::UdpService*>,
                                                          const StreamInput&, std::uint16_t);

std::string upstream_part(const Transport& transport, const objects::Meta& meta,
                          const objects::StreamBackend& backend) {
  const auto root = fmt::format("{}service/{}/{}", transport.prefix, meta.name_space, meta.name);
  if (!backend.host.empty()) {
    return fmt::format("{}/host/{}:{}", root, backend.host, port_text(backend));
  }
  const auto& name_space = namespace_of(meta, backend);
  const auto elsewhere = name_space == meta.name_space ? "" : name_space + "/";
  return fmt::format("{}/{}{}/{}", root, elsewhere, backend.service, backend.port.text());
}

/// HTTP, HTTPS and the status servers are TCP: a UDP port of the same number is free.
const char* reserved_for(const Transport& transport, const Options& options, std::uint16_t port) {
  if (transport.protocol == objects::Protocol::kUdp) return nullptr;
  if (port == options.http_port) return "HTTP";
  if (port == options.https_port) return "HTTPS";
  const auto& reserved = options.reserved_ports;
  return std::ranges::find(reserved, port) == reserved.end() ? nullptr : "Penstock itself";
}

const StreamEntry* StreamPort::claim_for_config_map() {
  const auto entry = in_.config_map.find(port_);
  if (entry == in_.config_map.end()) return nullptr;
  grants_.push_back({"the " + config_map_owner(), "", config_map_key()});
  const auto& [key, name_space] = std::tie(entry->second.key, entry->second.name_space);
  if (const auto* what = reserved_for()) {
    report(entry->second, fmt::format("{}: port {} is reserved for {}", key, port_, what));
    return nullptr;
  }
  if (!is_watched(in_.reader, name_space, in_.options)) {
    report(entry->second,
           fmt::format("{}: namespace '{}' is not one that is served", key, name_space));
    return nullptr;
  }
  return &entry->second;
}

bool StreamPort::is_https() const {
  return transport_.protocol == objects::Protocol::kTcp && port_ == in_.options.https_port;
}

bool StreamPort::claim(const objects::Meta& meta, std::size_t index,
                       const objects::StreamListener& listener, const NameClaim* names) {
  const auto is_range = listener.ports.first != listener.ports.last;
  const auto field = fmt::format("/spec/listeners/{}/{}", index, is_range ? "portRange" : "port");
  const bool is_beside_https = is_https() && names != nullptr;
  if (const auto* what = reserved_for()) {
    auto why = is_beside_https ? refused_by_https(*names, listener, in_.options)
                               : fmt::format("port {} is reserved for {}", port_, what);
    if (!why.empty()) {
      report(meta, field, Reason::kPortReserved, std::move(why));
      return false;
    }
  }
  const PortRequest request{transport_.protocol, port_, meta.name_space, transport_.config_map,
                            in_.surpluses};
  if (auto why = refused_because(in_.reader, in_.options, request); !why.empty()) {
    report(meta, field, Reason::kPortNotAllowed, std::move(why));
    return false;
  }
  const auto self = "the " + owner(meta);
  const auto address = is_beside_https ? std::string() : listener.address;
  for (const auto& grant : grants_) {
    const auto found = clash_with(grant, address, names);
    if (!found) continue;
    const bool is_own = grant.owner == self;
    report(meta, field, found->reason,
           fmt::format("{} is already taken by {}", found->what,
                       is_own ? "another listener of this object" : grant.owner),
           grant.object);
    return false;
  }
  if (is_beside_https) {
    if (yields_to_ingress(meta, field, *names)) return false;
    report_to_ingresses(meta, *names);
  }
  auto& grant = grants_.emplace_back(
      Grant{self, address, {transport_.object_kind, meta.name_space, meta.name}});
  if (names != nullptr) grant.names = *names;
  return true;
}

std::optional<Clash> StreamPort::clash_with(const Grant& grant, const std::string& address,
                                            const NameClaim* names) const {
  const bool is_same = grant.address == address;
  if (!is_same && !grant.address.empty() && !address.empty()) return std::nullopt;
  if (is_same && grant.names && names != nullptr) return clash(*grant.names, *names, port_);
  return Clash{Reason::kPortConflict, fmt::format("port {}", port_)};
}

/// A host that is there already is not taken away by whoever may open ports.
bool StreamPort::yields_to_ingress(const objects::Meta& meta, const std::string& field,
                                   const NameClaim& names) {
  for (const auto& name : names.names) {
    const auto* ingress = holder_of_host(in_.reader, in_.options, name);
    if (ingress == nullptr || !objects::is_older(ingress->meta, meta)) continue;
    const objects::ObjectKey key{objects::Kind::kIngress, ingress->meta.name_space,
                                 ingress->meta.name};
    report(meta, field, Reason::kSniConflict,
           fmt::format("the server name {} of port {} is already taken by the {}", name, port_,
                       objects::to_string(key)),
           key);
    return true;
  }
  return false;
}

void StreamPort::report_to_ingresses(const objects::Meta& meta, const NameClaim& names) {
  for (const auto& name : names.names) {
    for (const auto* ingress : served_ingresses(in_.reader, in_.options, name)) {
      out_.diagnostics.push_back(
          {{objects::Kind::kIngress, ingress->meta.name_space, ingress->meta.name},
           field_of_host(*ingress, name),
           fmt::format("HTTPS of host {} is already taken by {}", name, owner(meta)),
           Reason::kPathTaken,
           {transport_.object_kind, meta.name_space, meta.name}});
    }
  }
}

snapshot::StreamBackend StreamPort::backend_of(const StreamEntry& entry) {
  UpstreamDemand demand;
  demand.part = fmt::format("{}/{}/{}/{}", transport_.prefix, entry.name_space, entry.service,
                            entry.port.text());
  demand.name_space = entry.name_space;
  demand.service = entry.service;
  demand.port = entry.port;
  demand.protocol = transport_.protocol;
  demand.passive_health = {1, base::Duration(10'000)};  // nginx's stream module: on by default
  const auto path = entry.name_space + "/" + entry.service;
  const auto* service = in_.reader.find<objects::Service>(path);
  if (service == nullptr) {
    report(entry, fmt::format("{}: expected a Service, '{}' does not exist", entry.key, path));
  } else if (is_refused(*service, in_.options)) {
    report(entry, fmt::format("{}: Service '{}' is of type ExternalName, which is not served",
                              entry.key, path));
  } else if (find_port(*service, entry.port, false, transport_.protocol) == nullptr) {
    report(entry, fmt::format("{}: expected a {} port of Service '{}', got '{}'", entry.key,
                              transport_.name, path, entry.port.text()));
  }
  snapshot::StreamBackend backend;
  backend.upstream = demand.part;
  out_.upstreams.emplace_back(Rank{}, std::move(demand));
  return backend;
}

void StreamPort::add_backend(const BackendPolicy& policy, const objects::StreamBackend& from,
                             const std::string& field, std::vector<snapshot::StreamBackend>& to) {
  if (!check(policy, from, field)) return;
  auto tls = backend_tls(*this, policy.meta, from.tls, field);
  if (!tls) return;
  auto demand = demand_of(policy, from);
  to.push_back({demand.part, from.weight,
                static_cast<snapshot::ProxyProtocolOut>(from.proxy_protocol), from.is_backup,
                from.max_connections, std::move(*tls)});
  out_.upstreams.emplace_back(rank_of(policy.meta), std::move(demand));
}

UpstreamDemand StreamPort::demand_of(const BackendPolicy& policy,
                                     const objects::StreamBackend& from) const {
  UpstreamDemand demand;
  const auto& meta = policy.meta;
  demand.name_space = namespace_of(meta, from);
  demand.service = from.service;
  demand.host = from.host;
  demand.records = from.records;
  demand.wanted_by = {transport_.object_kind, meta.name_space, meta.name};
  demand.port = from.port;
  demand.protocol = transport_.protocol;
  demand.part = upstream_part(transport_, meta, from);
  demand.balancing = {algorithm_of(policy.load_balancing.algorithm),
                      policy.load_balancing.bounded_load_percent, policy.load_balancing.slow_start,
                      policy.health.panic_percent};
  demand.passive_health = {policy.health.max_fails, policy.health.fail_timeout,
                           policy.health.recovers_slowly};
  demand.health_check = policy.health.active;
  return demand;
}

/// False where the backend must not be served.
bool StreamPort::check(const BackendPolicy& policy, const objects::StreamBackend& from,
                       const std::string& field) {
  if (!from.host.empty()) return true;
  const auto& meta = policy.meta;
  const auto& name_space = namespace_of(meta, from);
  if (!may_refer(meta, field + "/service/namespace", objects::Kind::kService, name_space,
                 from.service)) {
    return false;
  }
  const auto path = name_space + "/" + from.service;
  const auto* found = in_.reader.find<objects::Service>(path);
  if (found == nullptr) {
    report(meta, field + "/service/name", Reason::kBackendNotFound,
           fmt::format("expected a Service, '{}' does not exist", path));
  } else if (is_refused(*found, in_.options)) {
    report(meta, field + "/service/name", Reason::kBackendNotFound,
           fmt::format("Service '{}' is of type ExternalName, which is not served", path));
  } else if (find_port(*found, from.port, false, transport_.protocol) == nullptr) {
    report(meta, field + "/service/port", Reason::kPortNotFound,
           fmt::format("expected a {} port of Service '{}', got '{}'", transport_.name, path,
                       from.port.text()));
  }
  return true;
}

bool StreamPort::may_refer(const objects::Meta& meta, const std::string& field, objects::Kind to,
                           const std::string& name_space, const std::string& name) {
  auto why = refused_because(
      in_.reader, in_.options,
      objects::make_reference(transport_.object_kind, meta.name_space, to, name_space, name));
  if (why.empty()) return true;
  report(meta, field, Reason::kRefNotPermitted, std::move(why));
  return false;
}

std::string StreamPort::part_name(const std::string& address) const {
  return address.empty() ? fmt::format("{}/{}", transport_.prefix, port_)
                         : fmt::format("{}/{}:{}", transport_.prefix, address, port_);
}

std::string StreamPort::log_name(const objects::Meta& meta) const {
  return fmt::format("{}-{}-{}-{}", transport_.prefix, meta.name_space, meta.name, port_);
}

std::string StreamPort::log_name(const StreamEntry& entry) const {
  return fmt::format("{}-{}-{}-{}", transport_.prefix, entry.name_space, entry.service,
                     entry.port.text());
}

std::string StreamPort::owner(const objects::Meta& meta) const {
  return fmt::format("{} {}/{}", transport_.kind, meta.name_space, meta.name);
}

std::string StreamPort::config_map_owner() const {
  return "ConfigMap " + in_.options.*transport_.path;
}

void StreamPort::report(const objects::Meta& meta, std::string field, Reason reason,
                        std::string message, const objects::ObjectKey& other) {
  out_.diagnostics.push_back({{transport_.object_kind, meta.name_space, meta.name},
                              std::move(field),
                              std::move(message),
                              reason,
                              other});
}

objects::ObjectKey StreamPort::config_map_key() const {
  const auto& path = in_.options.*transport_.path;
  const auto slash = path.find('/');
  return {objects::Kind::kConfigMap, path.substr(0, slash), path.substr(slash + 1)};
}

void StreamPort::report(const StreamEntry& entry, std::string message) {
  out_.diagnostics.push_back({config_map_key(), "/data/" + entry.key, std::move(message)});
}

}  // namespace penstock::translate
