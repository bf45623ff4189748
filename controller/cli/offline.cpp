#include "controller/cli/offline.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "controller/cli/lint.h"
#include "controller/directory/directory.h"
#include "controller/translate/host_tls.h"
#include "proxy/base/text.h"

namespace penstock::cli {
namespace {

/// The ports of a range are refused one by one, which is a line for each of up to 1,024: here they
/// are one where they differ in nothing but the port.
std::vector<translate::Diagnostic> of_ranges(std::vector<translate::Diagnostic> diagnostics) {
  std::vector<translate::Diagnostic> out;
  using Key = std::tuple<objects::ObjectKey, std::string, std::string>;
  std::map<Key, std::pair<std::size_t, std::size_t>> seen;  // where the first is, how many follow
  for (auto& each : diagnostics) {
    if (each.field.ends_with("/portRange")) {
      auto text = each.message;
      std::erase_if(text, base::is_digit);
      const Key key{each.object, each.field, std::move(text)};
      const auto [known, is_first] = seen.try_emplace(key, out.size(), 0);
      if (!is_first) {
        ++known->second.second;
        continue;
      }
    }
    out.push_back(std::move(each));
  }
  for (const auto& [key, first] : seen) {
    const auto [at, more] = first;
    if (more > 0) out[at].message += fmt::format("; {} more ports of the range likewise", more);
  }
  return out;
}

}  // namespace

Offline::Offline(const std::vector<std::string>& paths, translate::Options options)
    : translator_([&] {
        options.allows_local_endpoints = true;
        options.is_without_api_server = true;
        return options;
      }()) {
  world::Touched touched;
  // What has no age is as young as can be, as in a directory that is served.
  for (const auto& file : directory::read_paths(paths)) {
    problems_.insert(problems_.end(), file.problems.begin(), file.problems.end());
    if (file.is_broken) {
      for (const auto& each : file.problems) unusable_.push_back(directory::to_string(each));
    }
    ignored_ += file.ignored;
    has_gaps_ |= file.has_gaps || file.is_broken;
    for (const auto& document : file.documents) {
      const auto [place, is_first] = documents_.emplace(document->key, document);
      if (!is_first) {
        problems_.push_back(
            {document->file, document->line,
             fmt::format("{} is already defined at {}", objects::to_string(document->key),
                         place->second->where(""))});
        continue;
      }
      world_.apply({document->key, false, document->json, document->where(""), read_at_}, touched);
    }
  }
  // A Namespace that cannot be read may have labels that permit less.
  if (!has_gaps_) add_implied_namespaces(touched);
  translator_.translate(world_, touched);
}

void Offline::add_implied_namespaces(world::Touched& touched) {
  std::set<std::string> names;
  for (const auto& [key, document] : documents_) {
    if (!key.name_space.empty()) names.insert(key.name_space);
  }
  for (const auto& name : names) {
    if (documents_.contains({objects::Kind::kNamespace, "", name})) continue;
    const auto implied = directory::implied_namespace(name);
    world_.apply({implied->key, false, implied->json, "", read_at_}, touched);
  }
}

std::vector<translate::Diagnostic> Offline::diagnostics(bool are_notes) const {
  auto out = translator_.diagnostics(world_);
  std::erase_if(out, [&](const translate::Diagnostic& each) {
    return (each.reason == translate::Reason::kNotOurs) != are_notes;
  });
  if (!are_notes) std::ranges::move(lint(translator_, read_at_), std::back_inserter(out));
  return out;
}

std::vector<Finding> Offline::findings() const { return in_order(diagnostics(false), true); }

std::vector<Finding> Offline::findings_without_secrets() const {
  auto all = diagnostics(false);
  std::erase_if(all, [](const translate::Diagnostic& each) {
    return each.message.contains("expected a Secret, '") &&
           each.message.contains("' does not exist");
  });
  return in_order(all, true);
}

std::vector<Finding> Offline::notes() const { return in_order(diagnostics(true), false); }

std::vector<Finding> Offline::not_served(const std::string& host) const {
  auto out = diagnostics(true);
  std::set<objects::ObjectKey> wanted;
  for (const auto& name : {host, translate::wildcard_of(host)}) {
    for (const auto* each : world_.ingresses_of(name)) {
      wanted.insert({objects::Kind::kIngress, each->meta.name_space, each->meta.name});
    }
  }
  std::erase_if(out, [&](const auto& each) { return !wanted.contains(each.object); });
  return in_order(out, false);
}

std::vector<std::string> Offline::missing() const {
  const auto& options = translator_.options();
  std::vector<std::string> out;
  const auto look = [&](objects::Kind kind, const char* flag, const std::string& path) {
    const auto slash = path.find('/');
    if (slash == std::string::npos) return;
    const objects::ObjectKey key{kind, path.substr(0, slash), path.substr(slash + 1)};
    if (documents_.contains(key)) return;
    out.push_back(fmt::format("{}: {} is in none of these files", flag, objects::to_string(key)));
  };
  look(objects::Kind::kConfigMap, "--configmap", options.config_map);
  look(objects::Kind::kConfigMap, "--tcp-services-configmap", options.tcp_services);
  look(objects::Kind::kConfigMap, "--udp-services-configmap", options.udp_services);
  look(objects::Kind::kService, "--default-backend-service", options.default_backend);
  look(objects::Kind::kSecret, "--default-ssl-certificate", options.default_certificate);
  return out;
}

std::vector<Finding> Offline::unreadable() const {
  std::vector<translate::Diagnostic> diagnostics;
  for (const auto& [key, error] : world_.unreadable()) {
    diagnostics.push_back({key, error.pointer, error.message});
  }
  return in_order(diagnostics, true);
}

std::vector<Finding> Offline::in_order(const std::vector<translate::Diagnostic>& diagnostics,
                                       bool has_problems_of_files) const {
  std::vector<Place> sorted;
  if (has_problems_of_files) {
    for (const auto& each : problems_) sorted.emplace_back(each.file, each.line, each.message);
  }
  for (const auto& diagnostic : of_ranges(diagnostics)) {
    if (diagnostic.reason == translate::Reason::kPortPending) continue;  // a replica gives it one
    const auto found = documents_.find(diagnostic.object);
    const auto* document = found == documents_.end() ? nullptr : found->second.get();
    const auto line = document == nullptr ? 0 : document->lines.line_of(diagnostic.field);
    sorted.emplace_back(document == nullptr ? "" : document->file,
                        line == 0 && document != nullptr ? document->line : line,
                        translate::to_string(diagnostic));
  }
  std::ranges::sort(sorted);
  std::vector<Finding> out;
  for (auto& [file, line, text] : sorted) {
    out.push_back({line == 0 ? file : fmt::format("{}:{}", file, line), std::move(text)});
  }
  return out;
}

snapshot::Snapshot Offline::snapshot() const {
  snapshot::Snapshot out;
  out.version = 1;
  out.parts = translator_.parts();
  return out;
}

}  // namespace penstock::cli
