#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "controller/admission/judge.h"
#include "controller/annotations/annotations.h"
#include "controller/translate/class_selection.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

using objects::Ingress;

constexpr std::string_view kUsualPrefix = "nginx.ingress.kubernetes.io";
constexpr std::string_view kSnippet = "-snippet";

/// What configuration text could smuggle in. Nothing here becomes such text; who sends it means
/// harm, or another controller.
constexpr std::array<std::string_view, 6> kSuspects = {
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/nginx", "/var/run/secrets", "_by_lua"};
constexpr std::array<std::string_view, 2> kDirectives = {"alias", "root"};

bool is_suspect(std::string_view text) {
  for (const auto each : kSuspects) {
    if (text.find(each) != text.npos) return true;
  }
  for (const auto word : kDirectives) {
    const auto at = text.find(word);
    const auto rest = at == text.npos ? std::string_view() : text.substr(at + word.size());
    const bool has_space = !rest.empty() && (rest.front() == ' ' || rest.front() == '\t');
    if (has_space && rest.find(';') != rest.npos) return true;
  }
  return false;
}

std::string suspect_in(const Ingress& ingress) {
  for (const auto& rule : ingress.rules) {
    if (is_suspect(rule.host)) return "host: invalid value found: " + rule.host;
    for (const auto& path : rule.paths) {
      if (is_suspect(path.path)) return "http path: invalid value found: " + path.path;
    }
  }
  for (const auto& tls : ingress.tls) {
    if (is_suspect(tls.secret)) return "secret: invalid value found: " + tls.secret;
    for (const auto& host : tls.hosts) {
      if (is_suspect(host)) return "host in ingress tls config: invalid value found: " + host;
    }
  }
  return {};
}

/// Of an Ingress's annotation that ends in "-snippet", whatever its prefix.
std::string snippet_of(const Site& site, const Ingress& ingress) {
  const auto& path = site.translator.options().config_map;
  if (const auto* map = site.world.find<objects::ConfigMap>(path)) {
    const auto allowed = map->data.find("allow-snippet-annotations");
    if (allowed != map->data.end() && allowed->second == "true") return {};
  }
  for (const auto& [key, value] : ingress.meta.annotations) {
    if (key.ends_with(kSnippet)) return key;
  }
  return {};
}

std::string of_usual_prefix(const Site& site, const Ingress& ingress) {
  const auto& prefix = site.translator.options().annotation_prefix;
  if (prefix == kUsualPrefix) return {};
  const bool is_used = std::ranges::any_of(ingress.meta.annotations, [](const auto& each) {
    return std::string_view(each.first).starts_with(fmt::format("{}/", kUsualPrefix));
  });
  if (!is_used) return {};
  return fmt::format(
      "this deployment has a custom annotation prefix defined. Use '{}' instead of '{}'", prefix,
      kUsualPrefix);
}

const std::string* canary_of(const Ingress& ingress, const std::string& key) {
  const auto found = ingress.meta.annotations.find(key);
  return found == ingress.meta.annotations.end() ? nullptr : &found->second;
}

/// Both canaries or neither; `canary: "false"` takes an Ingress out of the comparison.
bool may_share(const Ingress& a, const Ingress& b, const std::string& key) {
  const auto* one = canary_of(a, key);
  const auto* other = canary_of(b, key);
  if (one != nullptr && *one == "false") return true;
  return (one == nullptr) != (other == nullptr);
}

bool has_path(const Ingress& ingress, const std::string& host, const std::string& path) {
  return std::ranges::any_of(ingress.rules, [&](const objects::IngressRule& rule) {
    return rule.host == host &&
           std::ranges::find(rule.paths, path, &objects::IngressPath::path) != rule.paths.end();
  });
}

/// "shop/web", or empty where nobody has this path.
std::string owner_of(const Site& site, const Ingress& ingress, const std::string& host,
                     const std::string& path) {
  const auto& options = site.translator.options();
  const auto canary = options.annotation_prefix + "/canary";
  translate::Reader reader(site.world);
  const auto name = host.empty() ? std::string(world::kCatchAll) : host;
  for (const auto* other : site.world.ingresses_of(name)) {
    const bool is_self =
        other->meta.name_space == ingress.meta.name_space && other->meta.name == ingress.meta.name;
    if (is_self || !has_path(*other, host, path) || may_share(ingress, *other, canary)) continue;
    if (translate::is_ours(reader, *other, options)) {
      return other->meta.name_space + "/" + other->meta.name;
    }
  }
  return {};
}

std::string taken_path(const Site& site, const Ingress& ingress) {
  for (const auto& rule : ingress.rules) {
    for (const auto& path : rule.paths) {
      const auto owner = owner_of(site, ingress, rule.host, path.path);
      if (owner.empty()) continue;
      return fmt::format(R"(host "{}" and path "{}" is already defined in ingress {})",
                         rule.host.empty() ? world::kCatchAll : std::string_view(rule.host),
                         path.path, owner);
    }
  }
  return {};
}

}  // namespace

Verdict judge_ingress(const Site& site, const Ingress& ingress) {
  const auto& meta = ingress.meta;
  if (const auto what = suspect_in(ingress); !what.empty()) {
    return refuse(fmt::format("invalid object: invalid rule in ingress {}/{}: invalid {}",
                              meta.name_space, meta.name, what));
  }
  translate::Reader reader(site.world);
  if (!translate::is_ours(reader, ingress, site.translator.options())) return {};
  if (auto why = of_usual_prefix(site, ingress); !why.empty()) return refuse(std::move(why));
  if (const auto key = snippet_of(site, ingress); !key.empty()) {
    return refuse(key +
                  " annotation cannot be used. Snippet directives are disabled by the Ingress "
                  "administrator");
  }
  Verdict out;
  const auto read = annotations::read(meta.annotations, site.translator.options().annotation_prefix,
                                      site.translator.settings().ingress);
  for (const auto& problem : read.problems) {
    if (problem.is_served) {
      return refuse(fmt::format("annotation {} contains invalid value: {}", problem.annotation,
                                problem.message));
    }
    out.warnings.push_back(problem.message);
  }
  if (auto why = taken_path(site, ingress); !why.empty()) return refuse(std::move(why));
  return out;
}

}  // namespace penstock::admission
