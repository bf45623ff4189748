#pragma once
// Manifests in files, translated without a cluster: what check, explain and dump stand on.
#include <string>
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

  /// All that is wrong, in the order of files and lines.
  std::vector<Finding> findings() const;
  /// Of that, what keeps an object from being read at all.
  std::vector<Finding> unreadable() const;
  snapshot::Snapshot snapshot() const;
  std::size_t object_count() const { return documents_.size(); }
  std::size_t ignored() const { return ignored_; }
  /// Ingresses of other controllers.
  std::vector<Finding> not_ours() const;

 private:
  std::vector<Finding> in_order(const std::vector<translate::Diagnostic>& diagnostics) const;
  std::string where(const objects::ObjectKey& key, std::string_view pointer) const;
  void add_missing_class(const translate::Options& options, world::Touched& touched);

  world::World world_;
  translate::Translator translator_;
  std::map<objects::ObjectKey, std::shared_ptr<const directory::Document>> documents_;
  std::vector<directory::Problem> problems_;
  std::size_t ignored_ = 0;
};

}  // namespace penstock::cli
