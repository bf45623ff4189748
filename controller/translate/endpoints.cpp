#include "controller/translate/endpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::translate {
namespace {

using objects::PortRef;
using objects::Protocol;

/// Collects endpoints that may be served.
class Collector {
 public:
  explicit Collector(const Options& options) : options_(options) {}

  void add(const base::Address& address, std::uint16_t port) {
    if (port == 0) return;
    if (const auto* why = refused_because(address, options_)) {
      found_.refused =
          fmt::format("{} is {}, which no endpoint may have", address.to_string(), why);
      return;
    }
    found_.endpoints.push_back({base::unmapped(address).to_string(), port, 1});
  }
  Found take() {
    auto& list = found_.endpoints;
    std::ranges::sort(list);
    list.erase(std::unique(list.begin(), list.end()), list.end());
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

void add_named(Reader& reader, const std::string& host, std::uint16_t port, Collector& out) {
  if (const auto address = base::parse_address(host)) {
    out.add(*address, port);
    return;
  }
  const auto name = base::to_lower(host);
  if (name == "localhost" || name == "localhost.") {
    out.add(asio::ip::address_v4::loopback(), port);
    return;
  }
  const auto* addresses = reader.addresses_of(name);
  if (addresses == nullptr) return;
  for (const auto& address : *addresses) out.add(address, port);
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
    add_named(reader, demand.host, demand.port.number, out);
    return out.take();
  }
  const auto path = demand.name_space + "/" + demand.service;
  const auto* service = reader.find<objects::Service>(path);
  if (service == nullptr) return {};
  if (service->type == objects::ServiceType::kExternalName) {
    add_external(reader, *service, demand, out);
    return out.take();
  }
  const auto* port = find_port(*service, demand.port, demand.matches_target_port, demand.protocol);
  if (port == nullptr) return {};
  for (const auto* slice : reader.slices_of(path)) {
    if (!slice->has_ip_addresses) continue;
    const auto number = slice_port(*slice, *port);
    for (const auto& endpoint : slice->endpoints) {
      if (!endpoint.is_ready) continue;
      for (const auto& text : endpoint.addresses) {
        if (const auto address = base::parse_address(text)) out.add(*address, number);
      }
    }
  }
  return out.take();
}

}  // namespace penstock::translate
