// The jobs that have no file of their own.
#include <algorithm>
#include <iterator>

#include "controller/annotations/annotations.h"
#include "controller/translate/class_selection.h"
#include "controller/translate/translator.h"

namespace penstock::translate {
namespace {

objects::ObjectKey config_map_key(const std::string& path) {
  const auto slash = path.find('/');
  return {objects::Kind::kConfigMap, path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Output Translator::run_settings(Reader& reader) {
  Output out;
  settings::GlobalSettings now;
  if (!options_.config_map.empty()) {
    if (const auto* map = reader.find<objects::ConfigMap>(options_.config_map)) {
      for (auto& problem : settings::apply_global(map->data, now)) {
        out.diagnostics.push_back({config_map_key(options_.config_map), "/data/" + problem.key,
                                   std::move(problem.message)});
      }
    }
  }
  auto tcp_map = read_map(reader, options_.tcp_services, out);
  auto udp_map = read_map(reader, options_.udp_services, out);
  if (now.ingress != settings_.ingress || now.rules != settings_.rules ||
      now.no_redirect_prefixes != settings_.no_redirect_prefixes) {
    mark_all(JobKind::kReview);
    mark_all(JobKind::kHost);
  }
  if (now.stream != settings_.stream) {
    mark_all(JobKind::kTcpStream);
    mark_all(JobKind::kUdpStream);
    for (const auto& host : passed_hosts_) dirty_.insert({JobKind::kHost, host});
  }
  replace_map(tcp_map_, std::move(tcp_map), JobKind::kTcpStream);
  replace_map(udp_map_, std::move(udp_map), JobKind::kUdpStream);
  settings_ = std::move(now);
  default_policy_ = std::make_shared<const settings::IngressPolicy>(settings_.ingress);
  auto global = settings_.proxy;
  global.instance = options_.instance;
  if (options_.http_port != 0) {
    global.listeners.push_back({options_.listen_address, options_.http_port, false});
  }
  if (options_.https_port != 0) {
    global.listeners.push_back({options_.listen_address, options_.https_port, true});
  }
  out.add(snapshot::PartKind::kGlobal, "", std::move(global));
  return out;
}

StreamMap Translator::read_map(Reader& reader, const std::string& path, Output& out) const {
  if (path.empty()) return {};
  const auto* map = reader.find<objects::ConfigMap>(path);
  return map == nullptr ? StreamMap() : read_stream_map(*map, out.diagnostics);
}

void Translator::replace_map(StreamMap& map, StreamMap now, JobKind kind) {
  for (const auto* each : {&map, &now}) {
    for (const auto& [port, entry] : *each) dirty_.insert({kind, std::to_string(port)});
  }
  map = std::move(now);
}

Output Translator::run_review(Reader& reader, const objects::Ingress& ingress) {
  Output out;
  const auto path = ingress.meta.name_space + "/" + ingress.meta.name;
  policies_.erase(path);
  served_.erase(path);
  if (!is_ours(reader, ingress, options_)) {
    if (options_.is_without_api_server) {
      auto why = why_not_ours(reader, ingress, options_);
      out.diagnostics.push_back(
          {{objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name},
           std::move(why.field),
           std::move(why.message),
           Reason::kNotOurs});
    }
    return out;
  }
  auto read = annotations::read(ingress.meta.annotations, options_.annotation_prefix,
                                settings_.ingress, settings_.rules);
  for (auto& problem : read.problems) {
    out.diagnostics.push_back(
        {{objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name},
         annotation_field(problem.annotation),
         std::move(problem.message),
         problem.is_served ? Reason::kAnnotationRefused : Reason::kAnnotationIgnored});
  }
  if (read.policy.passes_tls_through && !options_.passes_tls_through) {
    const auto annotation = options_.annotation_prefix + "/ssl-passthrough";
    out.diagnostics.push_back(
        {{objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name},
         annotation_field(annotation),
         annotation + ": expected the controller to have the flag --enable-ssl-passthrough, "
                      "without it TLS is ended here",
         Reason::kAnnotationIgnored});
  }
  const bool is_catch_all = is_refused(ingress, options_);
  if (is_catch_all) {
    out.diagnostics.push_back(
        {{objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name},
         "/spec/defaultBackend",
         "an Ingress with a default backend is not served here (--disable-catch-all)",
         Reason::kInvalidSpec});
  }
  if (!read.is_left_out && !read.is_refused && !is_catch_all) served_.insert(path);
  policies_[path] = read.policy == *default_policy_
                        ? default_policy_
                        : std::make_shared<const settings::IngressPolicy>(std::move(read.policy));
  return out;
}

/// The ports whose permission changes are asked for again.
Output Translator::run_quota(Reader& reader, const std::string& name_space,
                             const world::World& world) {
  Output out;
  Surplus now;
  const bool has_any =
      !world.tcp_services_in(name_space).empty() || !world.udp_services_in(name_space).empty();
  if (has_any) now = surplus_of(reader, options_, name_space);
  const auto found = surpluses_.find(name_space);
  const auto before = found == surpluses_.end() ? Surplus() : std::move(found->second);
  Surplus changed;
  std::ranges::set_symmetric_difference(before, now, std::inserter(changed, changed.end()));
  for (const auto& [policy, protocol, port] : changed) {
    const auto kind =
        protocol == objects::Protocol::kTcp ? JobKind::kTcpStream : JobKind::kUdpStream;
    dirty_.insert({kind, std::to_string(port)});
  }
  if (now.empty()) {
    surpluses_.erase(name_space);
  } else {
    surpluses_.insert_or_assign(name_space, std::move(now));
  }
  const auto tell = [&](objects::Kind kind, const auto& services) {
    for (const auto* each : services) {
      if (!is_ours(reader, *each, options_)) {
        if (!options_.is_without_api_server) continue;
        auto why = why_not_ours(reader, each->meta, each->class_name, options_);
        out.diagnostics.push_back({{kind, name_space, each->meta.name},
                                   std::move(why.field),
                                   std::move(why.message),
                                   Reason::kNotOurs});
        continue;
      }
      std::ranges::move(portless(reader, options_, *each), std::back_inserter(out.diagnostics));
    }
  };
  tell(objects::Kind::kTcpService, reader.tcp_services_in(name_space));
  tell(objects::Kind::kUdpService, reader.udp_services_in(name_space));
  return out;
}

std::shared_ptr<const settings::IngressPolicy> Translator::policy_of(
    const objects::Ingress& ingress) {
  const auto found = policies_.find(ingress.meta.name_space + "/" + ingress.meta.name);
  return found == policies_.end() ? default_policy_ : found->second;
}

}  // namespace penstock::translate
