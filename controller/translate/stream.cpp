#include "controller/translate/stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/translate/class_selection.h"
#include "controller/translate/endpoints.h"

namespace penstock::translate {
namespace {

using objects::TcpBackend;
using objects::TcpListener;
using objects::TcpService;
using snapshot::Stream;

/// A TCPService takes ports from here up; lower ones are the operator's, by the ConfigMap.
constexpr std::uint16_t kFirstOpenPort = 1024;

snapshot::Algorithm algorithm_of(objects::LoadBalancing from) {
  switch (from) {
    case objects::LoadBalancing::kRoundRobin:
      return snapshot::Algorithm::kRoundRobin;
    case objects::LoadBalancing::kLeastConnections:
      return snapshot::Algorithm::kLeastConnections;
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

class StreamJob {
 public:
  StreamJob(StreamInput input, std::uint16_t port) : in_(input), port_(port) {}

  Output run() {
    const auto entry = in_.config_map.find(port_);
    const bool is_in_map = entry != in_.config_map.end();
    if (is_in_map) {
      add_entry(entry->second);
    }
    auto services = in_.reader.tcp_services_of(port_);
    std::erase_if(services,
                  [&](const TcpService* each) { return !is_ours(in_.reader, *each, in_.options); });
    std::ranges::sort(services, [](const TcpService* a, const TcpService* b) {
      return objects::is_older(a->meta, b->meta);
    });
    std::string owner = is_in_map ? "the ConfigMap " + in_.options.tcp_services : "";
    for (const auto* service : services) take_or_report(*service, owner);
    return std::move(out_);
  }

 private:
  const char* reserved_for() const {
    if (port_ == in_.options.http_port) return "HTTP";
    if (port_ == in_.options.https_port) return "HTTPS";
    const auto& reserved = in_.options.reserved_ports;
    return std::ranges::find(reserved, port_) == reserved.end() ? nullptr : "Penstock itself";
  }

  void add_entry(const StreamEntry& entry) {
    if (const auto* what = reserved_for()) {
      report_entry(entry, fmt::format("{}: port {} is reserved for {}", entry.key, port_, what));
      return;
    }
    if (!is_watched(in_.reader, entry.name_space, in_.options)) {
      report_entry(entry, fmt::format("{}: namespace '{}' is not one that is served", entry.key,
                                      entry.name_space));
      return;
    }
    Stream stream = make(fmt::format("tcp/{}", port_), "");
    stream.owner = "ConfigMap " + in_.options.tcp_services;
    stream.log_name =
        fmt::format("tcp-{}-{}-{}", entry.name_space, entry.service, entry.port.text());
    stream.proxy_protocol = entry.decodes_proxy ? snapshot::ProxyProtocolIn::kRequired
                                                : snapshot::ProxyProtocolIn::kOff;
    UpstreamDemand demand;
    demand.part = fmt::format("tcp/{}/{}/{}", entry.name_space, entry.service, entry.port.text());
    demand.name_space = entry.name_space;
    demand.service = entry.service;
    demand.port = entry.port;
    demand.passive_health = {1, base::Duration(10'000)};  // nginx's stream module: on by default
    const auto path = entry.name_space + "/" + entry.service;
    const auto* service = in_.reader.find<objects::Service>(path);
    if (service == nullptr) {
      report_entry(entry,
                   fmt::format("{}: expected a Service, '{}' does not exist", entry.key, path));
    } else if (find_port(*service, entry.port, false) == nullptr) {
      report_entry(entry, fmt::format("{}: expected a TCP port of Service '{}', got '{}'",
                                      entry.key, path, entry.port.text()));
    }
    stream.rules.push_back({{},
                            {{demand.part, 1,
                              entry.encodes_proxy ? snapshot::ProxyProtocolOut::kV1
                                                  : snapshot::ProxyProtocolOut::kNone}}});
    out_.upstreams.emplace_back(Rank{}, std::move(demand));
    add(std::move(stream));
  }

  void take_or_report(const TcpService& service, std::string& owner) {
    for (std::size_t i = 0; i < service.listeners.size(); ++i) {
      const auto& listener = service.listeners[i];
      if (listener.port != port_) continue;
      const auto field = fmt::format("/spec/listeners/{}/port", i);
      const auto self = fmt::format("{}/{}", service.meta.name_space, service.meta.name);
      if (const auto* what = reserved_for()) {
        report(service, field, fmt::format("port {} is reserved for {}", port_, what));
      } else if (port_ < kFirstOpenPort) {
        report(service, field,
               fmt::format("expected a port from {} up, got {}: lower ones are opened by the "
                           "tcp-services ConfigMap alone",
                           kFirstOpenPort, port_));
      } else if (!owner.empty() && owner != "the TCPService " + self) {
        report(service, field, fmt::format("port {} is already taken by {}", port_, owner));
      } else if (is_doubled(service, i)) {
        report(service, field,
               fmt::format("port {} is already taken by another listener of this object", port_));
      } else {
        owner = "the TCPService " + self;
        add_listener(service, listener);
      }
    }
  }

  /// Within one object two listeners may share a port on two addresses, and not otherwise.
  static bool is_doubled(const TcpService& service, std::size_t index) {
    const auto& listener = service.listeners[index];
    return std::any_of(
        service.listeners.begin(), service.listeners.begin() + static_cast<std::ptrdiff_t>(index),
        [&](const TcpListener& each) {
          return each.port == listener.port && (each.address == listener.address ||
                                                each.address.empty() || listener.address.empty());
        });
  }

  void add_listener(const TcpService& service, const TcpListener& listener) {
    const auto name = listener.address.empty() ? fmt::format("tcp/{}", port_)
                                               : fmt::format("tcp/{}:{}", listener.address, port_);
    auto stream = make(name, listener.address);
    stream.owner = fmt::format("TCPService {}/{}", service.meta.name_space, service.meta.name);
    stream.log_name =
        fmt::format("tcp-{}-{}-{}", service.meta.name_space, service.meta.name, port_);
    stream.proxy_protocol = static_cast<snapshot::ProxyProtocolIn>(listener.proxy_protocol);
    stream.trusted_proxies = listener.trusted_proxies;
    stream.access = {service.allowed, service.denied};
    stream.connect_timeout = service.connect_timeout.value_or(stream.connect_timeout);
    stream.idle_timeout = service.idle_timeout.value_or(stream.idle_timeout);
    stream.tries = service.attempts.value_or(stream.tries);
    stream.retry_timeout = service.retry_timeout.value_or(stream.retry_timeout);
    stream.is_logged = service.is_logged;
    for (std::size_t i = 0; i < service.rules.size(); ++i) {
      const auto& from = service.rules[i];
      snapshot::StreamRule rule{from.source_networks, {}};
      for (std::size_t j = 0; j < from.backends.size(); ++j) {
        add_backend(service, from.backends[j], fmt::format("/spec/rules/{}/backends/{}", i, j),
                    rule);
      }
      stream.rules.push_back(std::move(rule));
    }
    add(std::move(stream));
  }

  void add_backend(const TcpService& service, const TcpBackend& from, const std::string& field,
                   snapshot::StreamRule& rule) {
    auto demand = demand_of(service, from);
    if (!check(service, from, field)) return;
    rule.backends.push_back(
        {demand.part, from.weight, static_cast<snapshot::ProxyProtocolOut>(from.proxy_protocol)});
    out_.upstreams.emplace_back(rank_of(service.meta), std::move(demand));
  }

  static UpstreamDemand demand_of(const TcpService& service, const TcpBackend& from) {
    UpstreamDemand demand;
    const auto owner = fmt::format("tcpservice/{}/{}", service.meta.name_space, service.meta.name);
    demand.name_space = service.meta.name_space;
    demand.service = from.service;
    demand.host = from.host;
    demand.wanted_by = {objects::Kind::kTcpService, service.meta.name_space, service.meta.name};
    demand.port = from.port;
    demand.part = from.host.empty()
                      ? fmt::format("{}/{}/{}", owner, from.service, from.port.text())
                      : fmt::format("{}/host/{}:{}", owner, from.host, from.port.text());
    demand.balancing.algorithm = algorithm_of(service.load_balancing);
    demand.passive_health = {service.max_fails, service.fail_timeout};
    return demand;
  }

  /// False where the backend must not be served.
  bool check(const TcpService& service, const TcpBackend& from, const std::string& field) {
    if (!from.host.empty()) return true;
    if (!from.name_space.empty() && from.name_space != service.meta.name_space) {
      report(service, field + "/service/namespace",
             fmt::format("expected a Service of the same namespace, got one of '{}'",
                         from.name_space));
      return false;
    }
    const auto path = service.meta.name_space + "/" + from.service;
    const auto* found = in_.reader.find<objects::Service>(path);
    if (found == nullptr) {
      report(service, field + "/service/name",
             fmt::format("expected a Service, '{}' does not exist", path));
    } else if (find_port(*found, from.port, false) == nullptr) {
      report(service, field + "/service/port",
             fmt::format("expected a TCP port of Service '{}', got '{}'", path, from.port.text()));
    }
    return true;
  }

  Stream make(std::string name, std::string address) const {
    Stream stream;
    stream.name = std::move(name);
    stream.address = std::move(address);
    stream.port = port_;
    stream.idle_timeout = in_.settings.stream.idle_timeout;
    stream.retries_next_upstream = in_.settings.stream.retries_next_upstream;
    stream.retry_timeout = in_.settings.stream.retry_timeout;
    stream.tries = in_.settings.stream.tries;
    return stream;
  }

  void add(Stream stream) {
    auto name = stream.name;
    out_.add(snapshot::PartKind::kStream, name, std::move(stream));
  }

  void report(const TcpService& service, std::string field, std::string message) {
    out_.diagnostics.push_back(
        {{objects::Kind::kTcpService, service.meta.name_space, service.meta.name},
         std::move(field),
         std::move(message)});
  }
  void report_entry(const StreamEntry& entry, std::string message) {
    const auto slash = in_.options.tcp_services.find('/');
    out_.diagnostics.push_back(
        {{objects::Kind::kConfigMap, in_.options.tcp_services.substr(0, slash),
          in_.options.tcp_services.substr(slash + 1)},
         "/data/" + entry.key,
         std::move(message)});
  }

  StreamInput in_;
  std::uint16_t port_;
  Output out_;
};

}  // namespace

Output translate_stream(StreamInput input, std::uint16_t port) {
  return StreamJob(input, port).run();
}

}  // namespace penstock::translate
