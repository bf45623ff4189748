#include "controller/translate/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "controller/translate/endpoints.h"
#include "controller/translate/host_tls.h"
#include "controller/translate/passed_host.h"

namespace penstock::translate {
namespace {

using objects::Ingress;
using objects::IngressPath;
using objects::PathType;
using objects::ServiceBackend;
using snapshot::PathMatch;
using snapshot::Route;

objects::ObjectKey key_of(const Ingress& ingress) {
  return {objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name};
}

class HostJob {
 public:
  HostJob(HostInput input, const std::string& host) : in_(std::move(input)), name_(host) {}

  Output run() {
    const auto ingresses = served_ingresses(in_.reader, in_.options, name_);
    const bool is_catch_all = name_ == world::kCatchAll;
    if (ingresses.empty() && !is_catch_all) return {};
    tls_ = tls_of(in_.reader, in_.pairs, in_.options, name_, out_.diagnostics);
    if (is_catch_all) {
      take_over_catch_all(ingresses);
    } else {
      add_implicit_root(*ingresses.front());
    }
    for (const auto* ingress : ingresses) add_rules(*ingress);
    for (const auto* ingress : ingresses) pass_through(*ingress);
    finish();
    return std::move(out_);
  }

 private:
  struct Entry {
    Route route;
    const Ingress* owner = nullptr;
    bool is_implicit = false;
  };
  using Place = std::pair<std::string, PathMatch>;

  /// `/` of the catch-all: the oldest Ingress that is nothing but a default backend, else the
  /// global one. Redirects of such an Ingress do not apply here.
  void take_over_catch_all(const std::vector<const Ingress*>& ingresses) {
    const auto first = std::ranges::find_if(ingresses, [](const Ingress* each) {
      return each->rules.empty() && each->default_backend;
    });
    if (first == ingresses.end()) {
      routes_[{"/", PathMatch::kPrefix}] = {global_default(nullptr), nullptr, true};
      return;
    }
    const auto& ingress = **first;
    auto route = make_route(ingress, *ingress.default_backend, "/", "/spec/defaultBackend");
    route.policy.https_redirect.is_enabled = false;
    routes_[{"/", PathMatch::kPrefix}] = {std::move(route), &ingress, false};
  }

  void add_implicit_root(const Ingress& ingress) {
    auto route = ingress.default_backend
                     ? make_route(ingress, *ingress.default_backend, "/", "/spec/defaultBackend")
                     : global_default(&ingress);
    routes_[{"/", PathMatch::kPrefix}] = {std::move(route), &ingress, true};
  }

  void add_rules(const Ingress& ingress) {
    for (std::size_t i = 0; i < ingress.rules.size(); ++i) {
      const auto& rule = ingress.rules[i];
      if ((rule.host.empty() ? world::kCatchAll : std::string_view(rule.host)) != name_) continue;
      for (std::size_t j = 0; j < rule.paths.size(); ++j) {
        add_path(ingress, rule.paths[j], fmt::format("/spec/rules/{}/http/paths/{}", i, j));
      }
    }
  }

  void add_path(const Ingress& ingress, const IngressPath& from, const std::string& field) {
    const auto path = from.path.empty() ? "/" : from.path;
    if (!path.starts_with('/')) {
      report(ingress, field + "/path",
             fmt::format("expected a path that starts with /, got '{}'", path));
      return;
    }
    if (!from.backend) {
      report(ingress, field + "/backend",
             "expected a service, the only kind of backend that is served");
      return;
    }
    const auto match = from.type == PathType::kExact ? PathMatch::kExact : PathMatch::kPrefix;
    auto& place = routes_[Place{path, match}];
    if (place.owner != nullptr && !place.is_implicit) {
      report(ingress, field,
             fmt::format("{} {} of host {} is already taken by {}", snapshot::name_of(match), path,
                         name_, holder_of(place, ingress)),
             Reason::kPathTaken, key_of(*place.owner));
      return;
    }
    auto route = make_route(ingress, *from.backend, path, field + "/backend");
    route.match = match;
    place = {std::move(route), &ingress, false};
  }

  static std::string holder_of(const Entry& place, const Ingress& other) {
    if (place.owner == &other) return "another path of this Ingress";
    const auto& meta = place.owner->meta;
    if (meta.created < other.meta.created) {
      return fmt::format("the older Ingress {}/{}", meta.name_space, meta.name);
    }
    return fmt::format("Ingress {}/{}, {}", meta.name_space, meta.name, objects::kWhyFirst);
  }

  Route make_route(const Ingress& ingress, const ServiceBackend& backend, const std::string& path,
                   const std::string& field) {
    auto route = with_policy(ingress, path);
    route.name_space = ingress.meta.name_space;
    route.ingress = ingress.meta.name;
    route.service = backend.service;
    route.service_port = backend.port.text();
    auto demand = http_demand(ingress.meta.name_space, backend);
    check(ingress, backend, field);
    demand.balancing = in_.policy_of(ingress)->balancing;
    route.upstream = demand.part;
    out_.upstreams.emplace_back(rank_of(ingress.meta), std::move(demand));
    return route;
  }

  /// What answers where no path matches. Not the Ingress's own: its labels stay empty.
  Route global_default(const Ingress* ingress) {
    auto route = ingress == nullptr ? Route{} : with_policy(*ingress, "/");
    route.path = "/";
    auto demand = default_backend(in_.reader, in_.options);
    if (!demand) return route;
    route.service = demand->service;
    route.service_port = demand->port.text();
    route.upstream = demand->part;
    out_.upstreams.emplace_back(Rank{}, std::move(*demand));
    return route;
  }

  Route with_policy(const Ingress& ingress, const std::string& path) {
    const auto policy = in_.policy_of(ingress);
    Route route;
    route.path = path;
    route.policy = policy->route;
    route.denied_why = policy->denied_why;
    const bool is_exempt =
        std::ranges::any_of(in_.settings.no_redirect_prefixes,
                            [&](const std::string& prefix) { return path.starts_with(prefix); });
    route.policy.https_redirect.is_enabled =
        !is_exempt && (policy->redirects_always || (policy->redirects_where_tls && tls_.is_tls));
    return route;
  }

  /// Any Ingress of the host can say it for all.
  void pass_through(const Ingress& ingress) {
    const bool is_wanted =
        in_.options.passes_tls_through && in_.policy_of(ingress)->passes_tls_through;
    if (!is_wanted || name_ == world::kCatchAll) return;
    const auto annotation = in_.options.annotation_prefix + "/ssl-passthrough";
    const auto refuse = [&](std::string_view what) {
      report(ingress, annotation_field(annotation), fmt::format("{}: {}", annotation, what),
             Reason::kAnnotationIgnored);
    };
    if (name_.starts_with('*')) {
      refuse(fmt::format("TLS of {} is ended here: wildcard hosts are not passed through", name_));
      return;
    }
    const auto* root = own_root();
    if (root == nullptr) {
      refuse(fmt::format("expected a path / of host {} to say where its TLS goes", name_));
    } else if (!out_.is_passed_through) {
      out_.is_passed_through = true;
      auto stream = passed_host(name_, *root, in_.options, in_.settings.stream);
      const auto part = stream.name;
      out_.add(snapshot::PartKind::kStream, part, std::move(stream));
    }
  }

  /// The path / that an Ingress gives, or its default backend.
  const Route* own_root() const {
    for (const auto match : {PathMatch::kPrefix, PathMatch::kExact}) {
      const auto found = routes_.find({"/", match});
      if (found != routes_.end() && !found->second.route.ingress.empty()) {
        return &found->second.route;
      }
    }
    return nullptr;
  }

  void check(const Ingress& ingress, const ServiceBackend& backend, const std::string& field) {
    const auto where = field + "/service";
    const auto path = ingress.meta.name_space + "/" + backend.service;
    const auto* service = in_.reader.find<objects::Service>(path);
    if (service == nullptr) {
      report(ingress, where + "/name", fmt::format("expected a Service, '{}' does not exist", path),
             Reason::kBackendNotFound);
      return;
    }
    if (is_refused(*service, in_.options)) {
      report(ingress, where + "/name",
             fmt::format("Service '{}' is of type ExternalName, which is not served", path),
             Reason::kBackendNotFound);
      return;
    }
    // An ExternalName needs to declare nothing where the Ingress gives a number.
    const bool is_free =
        service->type == objects::ServiceType::kExternalName && backend.port.number != 0;
    if (is_free || find_port(*service, backend.port, true) != nullptr) return;
    report(ingress, where + "/port",
           fmt::format("expected a TCP port of Service '{}', got '{}'", path, backend.port.text()),
           Reason::kPortNotFound);
  }

  void report(const Ingress& ingress, std::string field, std::string message,
              Reason reason = Reason::kInvalidSpec, objects::ObjectKey other = {}) {
    out_.diagnostics.push_back(
        {key_of(ingress), std::move(field), std::move(message), reason, std::move(other)});
  }

  void finish() {
    snapshot::Host host;
    host.name = name_;
    host.certificate = tls_.certificate;
    for (auto& [place, entry] : routes_) {
      // What comes by plain HTTP goes to endpoints that speak TLS.
      if (out_.is_passed_through) {
        entry.route.policy.backend.protocol = snapshot::BackendProtocol::kHttps;
      }
      host.routes.push_back(std::move(entry.route));
    }
    if (!tls_.certificate.empty()) out_.certificates.push_back(tls_.certificate);
    out_.add(snapshot::PartKind::kHost, name_, std::move(host));
  }

  HostInput in_;
  const std::string& name_;
  HostTls tls_;
  std::map<Place, Entry> routes_;
  Output out_;
};

}  // namespace

UpstreamDemand http_demand(const std::string& name_space, const ServiceBackend& backend) {
  UpstreamDemand demand;
  demand.part = fmt::format("{}/{}/{}", name_space, backend.service, backend.port.text());
  demand.name_space = name_space;
  demand.service = backend.service;
  demand.port = backend.port;
  demand.matches_target_port = true;
  return demand;
}

std::optional<UpstreamDemand> default_backend(Reader& reader, const Options& options) {
  const auto slash = options.default_backend.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto* service = reader.find<objects::Service>(options.default_backend);
  if (service == nullptr || service->ports.empty()) return std::nullopt;
  return http_demand(options.default_backend.substr(0, slash),
                     {options.default_backend.substr(slash + 1), {service->ports[0].number, {}}});
}

Output translate_host(HostInput input, const std::string& host) {
  return HostJob(std::move(input), host).run();
}

}  // namespace penstock::translate
