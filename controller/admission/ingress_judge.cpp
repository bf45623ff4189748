#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/admission/judge.h"
#include "controller/annotations/annotations.h"
#include "controller/translate/class_selection.h"
#include "proxy/base/text.h"

namespace penstock::admission {
namespace {

using objects::Ingress;

constexpr std::string_view kUsualPrefix = "nginx.ingress.kubernetes.io";
constexpr std::string_view kSnippet = "-snippet";
constexpr std::string_view kPathMarks = "._-/";

/// What configuration text could smuggle in. Nothing here becomes such text; who sends it means
/// harm, or another controller.
constexpr std::array<std::string_view, 7> kSuspects = {
    "/etc/passwd",      "/etc/shadow", "/etc/group", "/etc/nginx", "/etc/ingress-controller",
    "/var/run/secrets", "_by_lua"};
constexpr std::array<std::string_view, 2> kDirectives = {"alias", "root"};
constexpr std::string_view kSpaces = " \t\r\n\f\v";

/// "root /x;" anywhere in the text.
bool has_directive(std::string_view text, std::string_view word) {
  const auto end = text.rfind(';');
  if (end == text.npos) return false;
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const auto after = at + word.size();
    if (after < end && kSpaces.find(text[after]) != kSpaces.npos) return true;
  }
  return false;
}

bool is_suspect(std::string_view text) {
  return std::ranges::any_of(kSuspects,
                             [&](std::string_view each) { return text.find(each) != text.npos; }) ||
         std::ranges::any_of(kDirectives,
                             [&](std::string_view word) { return has_directive(text, word); });
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

/// Of the types that say that the path is no pattern, each that looks like one.
std::vector<std::string> odd_paths(const Ingress& ingress) {
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           kPathMarks.find(c) != kPathMarks.npos;
  };
  std::vector<std::string> out;
  for (const auto& rule : ingress.rules) {
    for (const auto& [path, type, backend] : rule.paths) {
      if (path.empty() || type == objects::PathType::kImplementationSpecific) continue;
      if (path.starts_with('/') && std::ranges::all_of(path, is_plain)) continue;
      out.push_back(fmt::format("path {} cannot be used with pathType {}", path,
                                type == objects::PathType::kExact ? "Exact" : "Prefix"));
    }
  }
  return out;
}

/// An annotation that ends in "-snippet", whatever its prefix.
std::string snippet_of(const Ingress& ingress) {
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

/// The first of the candidate's paths that somebody has, as a look at each rival's paths once finds
/// it: an object of thousands of paths costs their number, not its product with the cluster's.
struct Taken {
  std::size_t at = 0;  // in the order of the candidate's paths
  const std::string* path = nullptr;
  const Ingress* owner = nullptr;
};

using PathIndex = std::unordered_map<std::string_view, std::size_t>;

void look_at(const Ingress& rival, std::string_view host, const PathIndex& wanted, Taken& taken) {
  for (const auto& rule : rival.rules) {
    if (rule.host != host) continue;
    for (const auto& path : rule.paths) {
      const auto found = wanted.find(path.path);
      if (found == wanted.end()) continue;
      const bool is_first = taken.owner == nullptr || found->second < taken.at;
      if (is_first) taken = {found->second, &path.path, &rival};
    }
  }
}

Taken taken_of_host(const Site& site, const Ingress& ingress, const std::string& host,
                    const PathIndex& wanted) {
  const auto& options = site.translator.options();
  const auto canary = options.annotation_prefix + "/canary";
  Taken taken;
  for (const auto* rival : site.world.ingresses_of(host.empty() ? world::kCatchAll : host)) {
    const bool is_self =
        rival->meta.name_space == ingress.meta.name_space && rival->meta.name == ingress.meta.name;
    if (is_self || may_share(ingress, *rival, canary)) continue;
    Taken theirs;
    look_at(*rival, host, wanted, theirs);
    if (theirs.owner == nullptr || (taken.owner != nullptr && theirs.at >= taken.at)) continue;
    translate::Reader reader(site.world, site.translator.options());
    if (translate::is_ours(reader, *rival, options)) taken = theirs;
  }
  return taken;
}

std::string taken_path(const Site& site, const Ingress& ingress) {
  std::map<std::string, PathIndex> hosts;
  std::size_t count = 0;
  for (const auto& rule : ingress.rules) {
    for (const auto& path : rule.paths) hosts[rule.host].try_emplace(path.path, count++);
  }
  const std::string* host = nullptr;
  Taken first;
  for (const auto& [name, paths] : hosts) {
    const auto taken = taken_of_host(site, ingress, name, paths);
    const bool is_first = taken.owner != nullptr && (host == nullptr || taken.at < first.at);
    if (!is_first) continue;
    first = taken;
    host = &name;
  }
  if (host == nullptr) return {};
  return fmt::format(R"(host "{}" and path "{}" is already defined in ingress {}/{})",
                     host->empty() ? world::kCatchAll : std::string_view(*host), *first.path,
                     first.owner->meta.name_space, first.owner->meta.name);
}

const std::string* verdict_of(const annotations::Read& read, annotations::Rule rule) {
  const auto found = std::ranges::find(read.problems, rule, &annotations::Problem::rule);
  return found == read.problems.end() ? nullptr : &found->verdict;
}

void judge_annotations(const Site& site, const Ingress& ingress, Verdict& out) {
  if (auto why = of_usual_prefix(site, ingress); !why.empty()) {
    out = refuse(std::move(why));
    return;
  }
  const auto& settings = site.translator.settings();
  const auto read =
      annotations::read(ingress.meta.annotations, site.translator.options().annotation_prefix,
                        settings.ingress, settings.rules);
  if (const auto* why = verdict_of(read, annotations::Rule::kBlockedWord)) {
    out = refuse(*why);
    return;
  }
  const auto snippet = settings.rules.allows_snippets ? "" : snippet_of(ingress);
  if (!snippet.empty()) {
    out = refuse(snippet +
                 " annotation cannot be used. Snippet directives are disabled by the Ingress "
                 "administrator");
    return;
  }
  if (const auto* why = verdict_of(read, annotations::Rule::kRiskLevel)) {
    out = refuse(*why);
    return;
  }
  for (const auto& problem : read.problems) {
    // What closes the routes harms nobody but itself, and is taken by ingress-nginx, too.
    if (problem.denies) {
      out.warnings.push_back(problem.message + "; its routes answer 503");
    } else if (!problem.is_served) {
      out.warnings.push_back(problem.message);
    } else {
      out = refuse(fmt::format("annotation {} contains invalid value: {}", problem.annotation,
                               problem.message));
      return;
    }
  }
}

}  // namespace

Verdict judge_ingress(const Site& site, const Ingress& ingress) {
  const auto& meta = ingress.meta;
  const auto& options = site.translator.options();
  translate::Reader reader(site.world, options);
  if (!translate::is_ours(reader, ingress, options)) return {};
  const auto suspect = site.inspects_deeply ? suspect_in(ingress) : "";
  if (!suspect.empty()) {
    return refuse(fmt::format("invalid object: invalid rule in ingress {}/{}: invalid {}",
                              meta.name_space, meta.name, suspect));
  }
  if (translate::is_refused(ingress, options)) {
    return refuse(
        "this deployment is trying to create a catch-all ingress while DisableCatchAll flag is set "
        "to true. Remove '.spec.defaultBackend' or set DisableCatchAll flag to false");
  }
  Verdict out{true, {}, odd_paths(ingress)};
  if (!out.warnings.empty() && site.translator.settings().rules.is_strict_on_paths) {
    return refuse(fmt::format("ingress contains invalid paths: {}", fmt::join(out.warnings, "\n")));
  }
  judge_annotations(site, ingress, out);
  if (!out.is_allowed) return out;
  if (auto why = taken_path(site, ingress); !why.empty()) return refuse(std::move(why));
  return out;
}

}  // namespace penstock::admission
