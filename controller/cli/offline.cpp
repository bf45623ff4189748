#include "controller/cli/offline.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "controller/directory/directory.h"
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
        options.takes_without_class = true;
        options.allows_local_endpoints = true;
        return options;
      }()) {
  world::Touched touched;
  for (const auto& file : directory::read_paths(paths)) {
    problems_.insert(problems_.end(), file.problems.begin(), file.problems.end());
    ignored_ += file.ignored;
    for (const auto& document : file.documents) {
      const auto [place, is_first] = documents_.emplace(document->key, document);
      if (!is_first) {
        problems_.push_back(
            {document->file, document->line,
             fmt::format("{} is already defined at {}", objects::to_string(document->key),
                         place->second->where(""))});
        continue;
      }
      world_.apply({document->key, false, document->json, document->where("")}, touched);
    }
  }
  add_missing_class(translator_.options(), touched);
  translator_.translate(world_, touched);
}

void Offline::add_missing_class(const translate::Options& options, world::Touched& touched) {
  if (world_.find<objects::IngressClass>(options.ingress_class) != nullptr) return;
  const objects::ObjectKey key{objects::Kind::kIngressClass, "", options.ingress_class};
  world_.apply({key, false,
                fmt::format(R"({{"metadata":{{"name":"{}"}},"spec":{{"controller":"{}"}}}})",
                            options.ingress_class, options.controller_class),
                ""},
               touched);
}

std::string Offline::where(const objects::ObjectKey& key, std::string_view pointer) const {
  const auto found = documents_.find(key);
  return found == documents_.end() ? "" : found->second->where(pointer);
}

std::vector<Finding> Offline::findings() const { return in_order(translator_.diagnostics(world_)); }

std::vector<Finding> Offline::unreadable() const {
  std::vector<translate::Diagnostic> diagnostics;
  for (const auto& [key, error] : world_.unreadable()) {
    diagnostics.push_back({key, error.pointer, error.message});
  }
  return in_order(diagnostics);
}

std::vector<Finding> Offline::in_order(
    const std::vector<translate::Diagnostic>& diagnostics) const {
  std::vector<std::tuple<std::string, int, Finding>> sorted;
  for (const auto& problem : problems_) {
    sorted.emplace_back(problem.file, problem.line,
                        Finding{fmt::format("{}:{}", problem.file, problem.line), problem.message});
  }
  for (const auto& diagnostic : of_ranges(diagnostics)) {
    if (diagnostic.reason == translate::Reason::kPortPending) continue;  // a replica gives it one
    const auto found = documents_.find(diagnostic.object);
    const auto file = found == documents_.end() ? std::string() : found->second->file;
    const auto line =
        found == documents_.end() ? 0 : found->second->lines.line_of(diagnostic.field);
    sorted.emplace_back(
        file, line,
        Finding{where(diagnostic.object, diagnostic.field), translate::to_string(diagnostic)});
  }
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a), std::get<2>(a).text) <
           std::tie(std::get<0>(b), std::get<1>(b), std::get<2>(b).text);
  });
  std::vector<Finding> out;
  for (auto& each : sorted) out.push_back(std::move(std::get<2>(each)));
  return out;
}

std::vector<Finding> Offline::not_ours() const {
  std::vector<Finding> out;
  for (const auto& [key, document] : documents_) {
    const auto* ingress = key.kind == objects::Kind::kIngress
                              ? world_.find<objects::Ingress>(world::path_of(key))
                              : nullptr;
    if (ingress == nullptr || !ingress->class_name) continue;
    const auto* of = world_.find<objects::IngressClass>(*ingress->class_name);
    if (of != nullptr && of->controller == translator_.options().controller_class) continue;
    out.push_back({document->where("/spec/ingressClassName"),
                   fmt::format("{} is of class '{}', which is not served", objects::to_string(key),
                               *ingress->class_name)});
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
