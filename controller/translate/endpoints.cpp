#include "controller/translate/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::translate {
namespace {

using objects::HostRecords;
using objects::PortRef;
using objects::Protocol;

/// As the resolver reads it (controller/dns/resolver.h).
std::string question_of(const std::string& name, HostRecords records) {
  switch (records) {
    case HostRecords::kAuto:
      break;
    case HostRecords::kA:
      return "A " + name;
    case HostRecords::kAaaa:
      return "AAAA " + name;
    case HostRecords::kSrv:
      return "SRV " + name;
  }
  return name;
}

/// Collects endpoints that may be served.
class Collector {
 public:
  explicit Collector(const Options& options) : options_(options) {}

  void add(const base::Address& address, std::uint16_t port, std::uint32_t weight = 1) {
    if (port == 0) return;
    if (const auto* why = refused_because(address, options_)) {
      found_.refused =
          fmt::format("{} is {}, which no endpoint may have", address.to_string(), why);
      return;
    }
    found_.endpoints.push_back({base::unmapped(address).to_string(), port, weight});
  }
  void set_unresolved() { found_.is_unresolved = true; }
  bool empty() const { return found_.endpoints.empty(); }
  /// Of an address that is there twice the greater weight counts.
  Found take() {
    auto& list = found_.endpoints;
    std::ranges::sort(list, std::greater<>());
    const auto is_same = [](const auto& a, const auto& b) {
      return a.address == b.address && a.port == b.port;
    };
    list.erase(std::unique(list.begin(), list.end(), is_same), list.end());
    std::ranges::reverse(list);
    return std::move(found_);
  }

 private:
  const Options& options_;
  Found found_;
};

bool refers_to(const PortRef& reference, const PortRef& port) {
  return reference.name.empty() ? reference.number != 0 && reference.number == port.number
                                : reference.name == port.name;
}

/// The number that a slice gives to a port of its Service; 0 = it does not have it.
std::uint16_t slice_port(const objects::EndpointSlice& slice, const objects::ServicePort& port) {
  for (const auto& each : slice.ports) {
    if (each.protocol != port.protocol || each.number == 0) continue;
    if (port.name.empty() || each.name == port.name) return each.number;
  }
  return port.target.number;
}

void add_named(Reader& reader, const std::string& host, std::uint16_t port, Collector& out,
               objects::HostRecords records = objects::HostRecords::kAuto,
               std::uint32_t weight = 1) {
  if (const auto address = base::parse_address(host)) {
    out.add(*address, port, weight);
    return;
  }
  const auto name = base::to_lower(host);
  if (name == "localhost" || name == "localhost.") {
    out.add(asio::ip::address_v4::loopback(), port);
    return;
  }
  const auto* addresses = reader.addresses_of(question_of(name, records));
  if (addresses == nullptr) return;
  if (addresses->empty()) out.set_unresolved();
  for (const auto& address : *addresses) out.add(address, port, weight);
}

/// Those of the lowest priority that lead anywhere: what comes behind them is for when they do not.
void add_targets(Reader& reader, const std::string& host, Collector& out) {
  const auto* targets = reader.targets_of(question_of(base::to_lower(host), HostRecords::kSrv));
  if (targets == nullptr) return;
  if (targets->empty()) out.set_unresolved();
  for (std::size_t i = 0; i < targets->size(); ++i) {
    const auto& each = (*targets)[i];
    if (!out.empty() && each.priority != (*targets)[i - 1].priority) break;
    add_named(reader, each.name, each.port, out, HostRecords::kAuto,
              std::max<std::uint32_t>(1, each.weight));
  }
}

void add_external(Reader& reader, const objects::Service& service, const UpstreamDemand& demand,
                  Collector& out) {
  const auto* declared =
      find_port(service, demand.port, demand.matches_target_port, demand.protocol);
  auto port = demand.port.number;
  if (declared != nullptr) {
    port = declared->target.number != 0 ? declared->target.number : declared->number;
  }
  add_named(reader, service.external_name, port, out);
}

bool is_for(const objects::SliceEndpoint& endpoint, const std::string& zone) {
  return std::ranges::find(endpoint.zones, zone) != endpoint.zones.end();
}

/// As kube-proxy: hints count where every ready endpoint has some and one of them names our zone.
bool has_hints_for(const std::vector<const objects::EndpointSlice*>& slices,
                   const std::string& zone) {
  if (zone.empty()) return false;
  bool has_ours = false;
  for (const auto* slice : slices) {
    for (const auto& endpoint : slice->endpoints) {
      if (!endpoint.is_ready) continue;
      if (endpoint.zones.empty()) return false;
      has_ours |= is_for(endpoint, zone);
    }
  }
  return has_ours;
}

}  // namespace

const char* refused_because(const base::Address& given, const Options& options) {
  const auto address = base::unmapped(given);
  if (address.is_unspecified()) return "the unspecified address";
  if (address.is_multicast()) return "a multicast address";
  if (options.allows_local_endpoints) return nullptr;
  if (address.is_loopback()) return "a loopback address";
  static const auto kLinkLocal = base::IpNet::parse("169.254.0.0/16").value();
  const bool is_link_local =
      address.is_v6() ? address.to_v6().is_link_local() : kLinkLocal.contains(address);
  return is_link_local ? "a link-local address" : nullptr;
}

bool is_refused(const objects::Service& service, const Options& options) {
  return options.refuses_external_names && service.type == objects::ServiceType::kExternalName;
}

const objects::ServicePort* find_port(const objects::Service& service, const PortRef& port,
                                      bool matches_target_port, Protocol protocol) {
  for (const auto& each : service.ports) {
    if (each.protocol != protocol) continue;
    if (refers_to(port, {each.number, each.name})) return &each;
    if (matches_target_port && refers_to(port, each.target)) return &each;
  }
  return nullptr;
}

Found endpoints_of(Reader& reader, const UpstreamDemand& demand, const Options& options) {
  Collector out(options);
  if (demand.service.empty()) {
    if (demand.records == HostRecords::kSrv) {
      add_targets(reader, demand.host, out);
    } else {
      add_named(reader, demand.host, demand.port.number, out, demand.records);
    }
    return out.take();
  }
  const auto path = demand.name_space + "/" + demand.service;
  const auto* service = reader.find<objects::Service>(path);
  if (service == nullptr || is_refused(*service, options)) return {};
  if (service->type == objects::ServiceType::kExternalName) {
    add_external(reader, *service, demand, out);
    return out.take();
  }
  const auto* port = find_port(*service, demand.port, demand.matches_target_port, demand.protocol);
  if (port == nullptr) return {};
  const auto slices = reader.slices_of(path);
  const bool is_zonal = has_hints_for(slices, options.zone);
  for (const auto* slice : slices) {
    if (!slice->has_ip_addresses) continue;
    const auto number = slice_port(*slice, *port);
    for (const auto& endpoint : slice->endpoints) {
      if (!endpoint.is_ready) continue;
      if (is_zonal && !is_for(endpoint, options.zone)) continue;
      for (const auto& text : endpoint.addresses) {
        if (const auto address = base::parse_address(text)) out.add(*address, number);
      }
    }
  }
  return out.take();
}

}  // namespace penstock::translate
