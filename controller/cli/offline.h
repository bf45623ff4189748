#pragma once
// Manifests in files, translated without a cluster: what check, explain and dump stand on.
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "controller/directory/manifest_file.h"
#include "controller/program/flags.h"
#include "controller/translate/translator.h"

namespace penstock::cli {

struct Finding {
  std::string where;  // "web.yaml:17"
  std::string text;
};

class Offline {
 public:
  /// Files and directories. An IngressClass that the Ingresses name like --ingress-class, and that
  /// is in no file, counts as ours: it is in the cluster.
  Offline(const std::vector<std::string>& paths, translate::Options options);

  /// What could not be read at all: files that are not there, or are not YAML.
  const std::vector<std::string>& unusable() const { return unusable_; }
  /// All that is wrong, in the order of files and lines; with what `lint` says.
  std::vector<Finding> findings() const;
  /// The same for who has left his Secrets out.
  std::vector<Finding> findings_without_secrets() const;
  /// What is no mistake by itself: objects that this controller does not serve.
  std::vector<Finding> notes() const;
  /// Of those, the Ingresses that name a host or its wildcard.
  std::vector<Finding> not_served(const std::string& host) const;
  /// Objects that flags name and that no file has, one sentence each.
  std::vector<std::string> missing() const;
  /// Of that, what keeps an object from being read at all.
  std::vector<Finding> unreadable() const;
  snapshot::Snapshot snapshot() const;
  std::size_t object_count() const { return documents_.size(); }
  std::size_t ignored() const { return ignored_; }

 private:
  using Place = std::tuple<std::string, int, std::string>;  // file, line, text
  void add_implied_namespaces(world::Touched& touched);
  std::vector<Finding> in_order(const std::vector<translate::Diagnostic>& diagnostics,
                                bool has_problems_of_files) const;
  std::vector<translate::Diagnostic> diagnostics(bool are_notes) const;

  std::int64_t read_at_ = std::time(nullptr);
  world::World world_;
  translate::Translator translator_;
  std::map<objects::ObjectKey, std::shared_ptr<const directory::Document>> documents_;
  std::vector<directory::Problem> problems_;
  std::vector<std::string> unusable_;
  std::size_t ignored_ = 0;
  bool has_gaps_ = false;  // something was not read that may be any object
};

}  // namespace penstock::cli
